#pragma once

// A request, as seen by its handler.
//
//   tare::task<> put_item(http::request& request, http::response& response) {
//     auto text = co_await request.body().read_all();                  // result<std::string>
//     if (!text) co_return;                                            // the server responds with 400, 408 or 413
//     itself store(request.param("id"), *text); co_await response.status(204).send();
//   }
//
// All views are valid until the handler returns or calls `discard`.
//
// **Bytes** While its handler waits, a request holds 56 and its head as it was sent, without the last empty line;
// nothing after `discard`. The parser and its buffers exist only while a head or a body arrives.

#include <tare/http/error.hpp>
#include <tare/http/fields.hpp>
#include <tare/net/endpoint.hpp>
#include <tare/net/tls_certificate.hpp>
#include <tare/task.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tare::http {

class request_admission;

namespace detail {
class exchange;
class upgrade;
struct route;
}  // namespace detail

/// Decodes "%41" to "A", and with `plus_is_blank`, as in forms, "+" to " ". Empty if a percent sign is not followed by
/// two hexadecimal digits.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank = false);

/// The body of a request, read as it arrives. While the handler does not read, at most one buffer is taken from the
/// connection, so the client is throttled.
///
/// **Errors** errc::malformed, truncated, body_too_large and too_slow; std::errc::not_enough_memory if the memory
/// budget has no room; those of the connection. **Cancellation** A part of the body may have been read. **Threads** On
/// the shard of the request. **Bytes** One buffer while a piece is in use; `read_all` the whole body, and briefly twice
/// that.
class request_body {
 public:
  /// The next piece, valid until the next call; empty at the end. The first call sends "100 Continue" to a client that
  /// waits for it. After an error the server responds and closes the connection, unless the handler has already
  /// responded.
  task<result<std::span<const std::byte>>> read();

  /// Reads the rest of the body. `errc::body_too_large` if it exceeds the limit.
  task<result<std::string>> read_all();

  /// Sets the maximum size; call it before reading. The default is `server_options::max_body_bytes`.
  void limit(std::uint64_t bytes) noexcept;

  /// The announced length, if any. 0 if there is no body.
  [[nodiscard]] std::optional<std::uint64_t> length() const noexcept;

 private:
  friend class request;
  explicit request_body(detail::exchange& exchange) noexcept : of_(exchange) {}
  detail::exchange& of_;
};

class request {
 public:
  request(const request&) = delete;
  request& operator=(const request&) = delete;

  [[nodiscard]] std::string_view method() const noexcept;
  /// As sent.
  [[nodiscard]] std::string_view target() const noexcept;
  /// The path of the target, not decoded; "*" if the request concerns the whole server.
  [[nodiscard]] std::string_view path() const noexcept;
  /// The part of the target after the question mark, not decoded.
  [[nodiscard]] std::string_view query() const noexcept;
  /// The requested host, and its port if given: "example.com:8080", "[::1]". Taken from a target in absolute form,
  /// otherwise from Host; a request in which they differ is refused. Empty in HTTP/1.0 if the request has neither, and
  /// if OPTIONS concerns the whole server.
  [[nodiscard]] std::string_view authority() const noexcept;
  /// The first value with that name in the query, decoded.
  [[nodiscard]] std::optional<std::string> query_value(std::string_view name) const;
  /// The part of the path that matches "{name}" in the route, decoded. Empty if the route has no such name.
  [[nodiscard]] std::string param(std::string_view name) const;

  [[nodiscard]] fields_view fields() const noexcept;
  /// 1 for HTTP/1.1, 0 for HTTP/1.0.
  [[nodiscard]] unsigned minor_version() const noexcept;
  [[nodiscard]] request_body body() noexcept { return request_body(of()); }
  [[nodiscard]] net::result<net::endpoint> peer() const;
  /// The client's certificate, which the server has verified (net::tls::server_options::client_authorities). Empty if
  /// the client presented none, and without TLS.
  /// **Errors** Throws std::bad_alloc.
  /// **Threads** On the shard of the request.
  /// **Bytes** The result, made by each call.
  [[nodiscard]] std::optional<net::tls::certificate> peer_certificate() const;

  /// Releases the head: method, target, path, query, authority, fields and parameters. For a handler that will wait for
  /// long and has taken what it needs. The body can still be read, and the response sent.
  ///
  ///   const auto id = parse(request.param("id"));
  ///   request.discard();
  ///   auto item = co_await shelf.find(id);
  ///
  /// **Errors** Afterwards `minor_version`, `peer`, `peer_certificate`, `reserve` and reading or limiting the body
  /// work; every other call aborts the program, because an empty value would be mistaken for what the client has sent.
  /// A second `discard` does nothing.
  /// **Cancellation** Does not wait.
  /// **Threads** On the shard of the request.
  /// **Bytes** Frees those of the head; the memory budget is told.
  void discard() noexcept;

  /// Declares how many bytes the handler will hold from now on, including bodies it has read; the number may be larger
  /// or smaller than before. In a server with a memory budget, call it before allocating something large and after
  /// freeing it. Does nothing if the runtime has no `memory_limit`.
  /// **Errors** False if there was no room within `server_options::room_timeout`; the previous value stays in effect.
  /// **Cancellation** The previous value stays in effect.
  /// **Threads** On the shard of the request.
  /// **Bytes** A frame while it waits.
  task<bool> reserve(std::size_t bytes);

 private:
  friend class request_admission;
  friend class router;
  friend class websocket;
  friend class detail::upgrade;
  friend class detail::exchange;
  request() = default;
  ~request() = default;
  /// What this is a part of.
  [[nodiscard]] detail::exchange& of() const noexcept;
};

}  // namespace tare::http
