#pragma once

// An HTTP/1.1 client that keeps its connections.
//
//   http::client client;
//   auto got = co_await client.get("http://127.0.0.1:8080/items/7");          // result<client_response>
//   if (got && got->status() == 200) use(co_await got->read_all());
//
// What does not exist, on purpose: redirects are responses like any other (`location` says where to), cookies, caches
// and proxies are the caller's, no body is decompressed. A request is sent once; only one that found its kept
// connection closed before a byte of a response came is sent again, on a new one, if its method is idempotent and it
// has no `stream`. With TLS it does not matter whether the server has closed by close_notify.
//
// Sending and reading go on side by side. A server may respond while it reads: the rest of the request is sent while
// the caller reads the response. A status from 300 on, or the response's end, stops the sending before the request's
// end; such a connection is closed and not used again. So is one on which anything comes that is not the response to
// its request.
//
// Bytes: a kept connection is 40 in the pool and its slot in the shard's table: no buffer, no parser, no task. One of
// https has OpenSSL's state besides (docs/bytes.md).

#include <tare/http/error.hpp>
#include <tare/http/fields.hpp>
#include <tare/http/upgraded_stream.hpp>
#include <tare/net/connect.hpp>
#include <tare/net/tls.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tare::http {

namespace detail {
class client_core;
class client_call;
}  // namespace detail

/// A limit of 0 on a time means none. Limits other than `call_timeout` may be seen to a quarter of a second late.
struct client_options {
  std::size_t max_connections_per_host = 16;                            ///< further requests wait for one of them
  std::size_t max_idle_connections = 64;                                ///< kept, over all hosts; the oldest is closed
  std::size_t max_head_bytes = 64U << 10U;                              ///< errc::head_too_large
  std::uint64_t max_body_bytes = 64U << 20U;                            ///< for read_all: errc::body_too_large
  std::chrono::nanoseconds idle_timeout = std::chrono::seconds(30);     ///< a kept connection is not used after that
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(10);  ///< std::errc::timed_out
  /// From the end of the request to the end of the response's head, interim responses included; then for each wait for
  /// more of the body: errc::too_slow.
  std::chrono::nanoseconds read_timeout = std::chrono::seconds(30);
  /// For each wait for the server to take more of the request, however little: errc::too_slow.
  std::chrono::nanoseconds write_timeout = std::chrono::seconds(30);
  /// For the whole call, from `send` to the end of the body, with the wait for one of the host's connections and the
  /// time that the caller takes: std::errc::timed_out.
  std::chrono::nanoseconds call_timeout{0};
  /// For https. Without: the system's authorities are trusted, and everybody's certificate is verified.
  std::optional<net::tls::context> tls = {};
  std::string user_agent = "tare";  ///< empty: none is sent
};

struct client_request {
  std::string method = "GET";
  std::string url;  ///< http[s]://host[:port][/path][?query]
  http::fields fields = {};
  std::string body = {};
  /// In place of `body`: called for each piece until it gives an empty one; sent chunked. What it gives must stay until
  /// the next call, and what it refers to for as long as the response. Until the response's head has come, a refusal is
  /// noticed while a piece is awaited, which cancels it; later nothing is read while a piece is awaited.
  std::function<task<std::string_view>()> stream = {};
};

/// Move-only. Reading the body to its end gives the connection back to the pool; destroying the response before closes
/// it. Must not outlive its client.
class client_response {
 public:
  client_response(client_response&&) noexcept;
  client_response& operator=(client_response&&) noexcept;
  client_response(const client_response&) = delete;
  client_response& operator=(const client_response&) = delete;
  ~client_response();

  [[nodiscard]] unsigned status() const noexcept;
  [[nodiscard]] fields_view fields() const noexcept;
  /// The length that was announced; 0 if there is no body.
  [[nodiscard]] std::optional<std::uint64_t> length() const noexcept;

  /// The next piece of the body, valid until the next call; empty at the end. Bytes are taken from the connection only
  /// as fast as they are asked for. `errc::truncated` if the connection ended too early.
  [[nodiscard]] task<result<std::span<const std::byte>>> read();
  /// All that is left of it.
  [[nodiscard]] task<result<std::string>> read_all();

  /// Of a 101: the connection, which speaks the protocol of the response's `upgrade` field from now on, belongs to the
  /// caller and no longer counts for the client. If it is not taken, it is closed with the response. Throws
  /// std::logic_error if the status is another, or the stream was taken before.
  [[nodiscard]] upgraded_stream take_stream();

 private:
  friend class client;
  explicit client_response(std::unique_ptr<detail::client_call> call) noexcept;
  std::unique_ptr<detail::client_call> call_;
};

/// Belongs to the shard whose tasks use it. Must outlive its calls.
class client {
 public:
  explicit client(client_options options = {});
  client(const client&) = delete;
  client& operator=(const client&) = delete;
  ~client();

  /// Sends the request and reads the response's head; interim responses (1xx) are passed over, at most 16.
  ///
  /// A request with an `upgrade` field asks the server to switch protocols ("connection: upgrade" is added). If the
  /// server does, the status is 101: see `take_stream`. A 101 to any other request is errc::malformed.
  ///
  /// **Errors**: of this category, of name resolution, of TLS, or of the system. Throws std::invalid_argument for a
  /// method that is no token or is CONNECT, and for fields that the client sets.
  /// **Cancellation**: closes the connection; the server may have acted on the request.
  [[nodiscard]] task<result<client_response>> send(client_request request);

  [[nodiscard]] task<result<client_response>> get(std::string url);
  [[nodiscard]] task<result<client_response>> post(std::string url, std::string_view content_type, std::string body);

  /// Connections that wait for their next request.
  [[nodiscard]] std::size_t idle_connections() const noexcept;

 private:
  std::unique_ptr<detail::client_core> core_;
};

}  // namespace tare::http
