#pragma once

// An HTTP/1.1 client that reuses connections.
//
//   http::client client;
//   auto got = co_await client.get("http://127.0.0.1:8080/items/7");          // result<client_response>
//   if (got && got->status() == 200) use(co_await got->read_all());
//
// By design, the client does not follow redirects (`location` says where to), and has no cookies, caches, proxies or
// decompression. A request is sent once, with one exception: if a reused connection turns out to be closed before the
// first byte of the response, the request is sent again on a new connection, provided that its method is idempotent and
// it has no `stream`. With TLS, this does not depend on whether the server sent close_notify.
//
// Sending and reading are concurrent. A server may respond before it has read the whole request: the rest is sent while
// the caller reads the response. A status of 300 or above, or the end of the response, stops the sending; the
// connection is then closed instead of reused. A connection on which anything arrives that is not the response to its
// request is closed too.
//
// **Bytes** An idle connection is 40 in the pool and its slot in the shard's table; it has no buffer, no parser and no
// task. An https connection also holds its TLS state (docs/bytes.md).

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

/// A timeout of 0 means no limit. Timeouts other than `call_timeout` may expire up to a quarter of a second late.
struct client_options {
  std::size_t max_connections_per_host = 16;                            ///< further requests wait for a free one
  std::size_t max_idle_connections = 64;                                ///< over all hosts; the oldest is closed
  std::size_t max_head_bytes = 64U << 10U;                              ///< errc::head_too_large
  std::uint64_t max_body_bytes = 64U << 20U;                            ///< for read_all: errc::body_too_large
  std::chrono::nanoseconds idle_timeout = std::chrono::seconds(30);     ///< an idle connection is not reused after that
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(10);  ///< std::errc::timed_out
  /// From the end of the request to the end of the response's head, including interim responses; then for each wait for
  /// more of the body: errc::too_slow.
  std::chrono::nanoseconds read_timeout = std::chrono::seconds(30);
  /// For each wait until the server accepts more of the request, however little: errc::too_slow.
  std::chrono::nanoseconds write_timeout = std::chrono::seconds(30);
  /// For the whole call, from `send` to the end of the body, including the wait for a connection and the caller's own
  /// time: std::errc::timed_out.
  std::chrono::nanoseconds call_timeout{0};
  /// For https. If empty, the system's authorities are trusted and every certificate is verified.
  std::optional<net::tls::context> tls = {};
  std::string user_agent = "tare";  ///< empty: not sent
};

struct client_request {
  std::string method = "GET";
  std::string url;  ///< http[s]://host[:port][/path][?query]
  http::fields fields = {};
  std::string body = {};
  /// Instead of `body`: called for each piece until it returns an empty one; sent chunked. A piece must stay valid
  /// until the next call, and everything it refers to as long as the response exists. Until the head of the response
  /// has arrived, a refusal is noticed even while a piece is awaited, and cancels it; later nothing is read while a
  /// piece is awaited.
  std::function<task<std::string_view>()> stream = {};
};

/// Move-only. Reading the body to its end returns the connection to the pool; destroying the response earlier closes
/// the connection. Must not outlive its client.
///
/// **Errors** Those of http::category, of TLS, and of the system; after an error, the connection is closed.
/// **Cancellation** A part of the body may have been read: destroy the response. **Threads** The client's shard.
/// **Bytes** The connection's, the head as received, and one buffer while a piece of the body is in use; `read_all` the
/// whole body.
class client_response {
 public:
  client_response(client_response&&) noexcept;
  client_response& operator=(client_response&&) noexcept;
  client_response(const client_response&) = delete;
  client_response& operator=(const client_response&) = delete;
  ~client_response();

  [[nodiscard]] unsigned status() const noexcept;
  [[nodiscard]] fields_view fields() const noexcept;
  /// The announced length; 0 if there is no body.
  [[nodiscard]] std::optional<std::uint64_t> length() const noexcept;

  /// The next piece of the body, valid until the next call; empty at the end. Bytes are read from the connection only
  /// on demand. `errc::truncated` if the connection ended too early.
  task<result<std::span<const std::byte>>> read();
  /// Reads the rest of the body.
  task<result<std::string>> read_all();

  /// After a 101: transfers the connection to the caller. It now speaks the protocol named in the response's `upgrade`
  /// field and no longer counts toward the client's limits. If you do not take it, it is closed with the response.
  /// Throws std::logic_error if the status is not 101 or the stream has already been taken.
  [[nodiscard]] upgraded_stream take_stream();

 private:
  friend class client;
  explicit client_response(std::unique_ptr<detail::client_call> call) noexcept;
  std::unique_ptr<detail::client_call> call_;
};

/// **Threads** Belongs to the shard whose tasks use it. Must outlive its calls.
class client {
 public:
  explicit client(client_options options = {});
  client(const client&) = delete;
  client& operator=(const client&) = delete;
  ~client();

  /// Sends the request and reads the head of the response; skips at most 16 interim responses (1xx).
  ///
  /// A request with an `upgrade` field asks the server to switch protocols ("connection: upgrade" is added). If the
  /// server agrees, the status is 101; see `take_stream`. A 101 to any other request is errc::malformed.
  ///
  /// **Errors** Of `http::category`, name resolution, TLS, or the system. Throws std::invalid_argument if the method
  /// is CONNECT or not a token, and for fields that the client sets itself.
  /// **Cancellation** Closes the connection; the server may have acted on the request.
  task<result<client_response>> send(client_request request);

  task<result<client_response>> get(std::string url);
  task<result<client_response>> post(std::string url, std::string_view content_type, std::string body);

  /// Number of connections that wait for their next request.
  [[nodiscard]] std::size_t idle_connections() const noexcept;

 private:
  std::unique_ptr<detail::client_core> core_;
};

}  // namespace tare::http
