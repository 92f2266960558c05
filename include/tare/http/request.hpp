#pragma once

// A request, as its handler sees it.
//
//   tare::task<> put_item(http::request& request, http::response& response) {
//     auto text = co_await request.body().read_all();                  // result<std::string>
//     if (!text) co_return;                                            // the server answers 400, 408 or 413 by itself
//     store(request.param("id"), *text);
//     co_await response.status(204).send();
//   }
//
// All views are valid until the handler returns.

#include <tare/http/error.hpp>
#include <tare/http/fields.hpp>
#include <tare/net/endpoint.hpp>
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
struct route;
}  // namespace detail

/// "%41" to "A", and with `plus_is_blank`, as forms have it, "+" to " ". Empty if a percent sign stands without two
/// hexadecimal digits.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank = false);

/// The body of a request, read as it comes: while nobody reads, no more than a buffer's worth is taken from the
/// connection, so that the client is held back.
class request_body {
 public:
  /// The next piece, valid until the next call; empty at the end. A client that waits for "100 Continue" is told so by
  /// the first call. After an error the server answers and closes, unless the handler has answered.
  [[nodiscard]] task<result<std::span<const std::byte>>> read();

  /// All that is left of it. `errc::body_too_large` when it is more than the limit.
  [[nodiscard]] task<result<std::string>> read_all();

  /// Bytes that it may have: `server_options::max_body_bytes` unless set here, before reading.
  void limit(std::uint64_t bytes) noexcept;

  /// Its length, if it was announced. 0 if there is none.
  [[nodiscard]] std::optional<std::uint64_t> length() const noexcept;

 private:
  friend class request;
  explicit request_body(detail::exchange& of) noexcept : of_(of) {}
  detail::exchange& of_;
};

class request {
 public:
  explicit request(detail::exchange& of) noexcept : of_(of) {}
  request(const request&) = delete;
  request& operator=(const request&) = delete;
  ~request() = default;

  [[nodiscard]] std::string_view method() const noexcept;
  /// As sent.
  [[nodiscard]] std::string_view target() const noexcept;
  /// Of the target, not decoded; "*" if the request is about the whole server.
  [[nodiscard]] std::string_view path() const noexcept;
  /// Of the target, behind the question mark, not decoded.
  [[nodiscard]] std::string_view query() const noexcept;
  /// The host that is asked, and its port if one is given: "example.com:8080", "[::1]". That of a target in absolute
  /// form, otherwise Host; a request in which they differ is refused. Empty in HTTP/1.0 if there is neither, and if
  /// OPTIONS is about the whole server.
  [[nodiscard]] std::string_view authority() const noexcept;
  /// The first value of that name in the query, decoded.
  [[nodiscard]] std::optional<std::string> query_value(std::string_view name) const;
  /// What stands in the path where the route has "{name}", decoded. Empty if the route has no such name.
  [[nodiscard]] std::string param(std::string_view name) const;

  [[nodiscard]] fields_view fields() const noexcept;
  /// 1 for HTTP/1.1, 0 for HTTP/1.0.
  [[nodiscard]] unsigned minor_version() const noexcept;
  [[nodiscard]] request_body body() noexcept { return request_body(of_); }
  [[nodiscard]] net::result<net::endpoint> peer() const;

  /// Says how many bytes the handler is going to hold from now on, bodies that it has read included; more or less than
  /// before. So a handler of a server with a memory budget asks before it makes something large, and gives back what it
  /// has dropped. Nothing is asked for where the runtime has no `memory_limit`.
  /// **Errors**: false if there was no room for `server_options::room_timeout`; what was said before still holds.
  /// **Cancellation**: likewise.
  /// **Threads**: on the shard of the request.
  /// **Bytes**: a frame while it waits.
  [[nodiscard]] task<bool> reserve(std::size_t bytes);

 private:
  friend class request_admission;
  friend class router;
  friend class websocket;
  detail::exchange& of_;
};

}  // namespace tare::http
