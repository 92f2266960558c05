#pragma once

// The response, as the handler makes it: at once, or piece by piece.
//
//   co_await response.send("text/plain", "hello");
//
//   co_await response.status(201).set("location", "/items/7").send();
//
//   response.set("content-type", "text/csv");              // streamed: chunked, or of a length announced by start()
//   while (auto row = co_await rows.next()) co_await response.write(*row);
//   co_await response.finish();
//
// A small response leaves in one system call. To a HEAD request no body is sent, whatever the handler does; the server
// sends Date, Content-Length, Transfer-Encoding and Connection by itself.

#include <tare/http/error.hpp>
#include <tare/http/fields.hpp>
#include <tare/task.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace tare::http {

namespace detail {
class exchange;
}

/// A handler that returns without having sent anything sends what it has set, without a body. Errors of sending mean
/// that the client is gone: there is nothing to be done but to clean up.
class response {
 public:
  explicit response(detail::exchange& of) noexcept : of_(of) {}
  response(const response&) = delete;
  response& operator=(const response&) = delete;
  ~response() = default;

  /// 200 unless set; 200 to 599. Throws std::invalid_argument.
  response& status(unsigned code);
  /// Throws std::invalid_argument for what no field may have, and for the fields that are the server's own.
  response& set(std::string_view name, std::string_view value);
  response& add(std::string_view name, std::string_view value);
  [[nodiscard]] fields_view fields() const noexcept;
  /// The connection is closed after this response.
  response& close() noexcept;

  /// Sends everything. `body` must live until the await is over.
  [[nodiscard]] task<result<void>> send(std::string_view body = {});
  /// Likewise with a Content-Type.
  [[nodiscard]] task<result<void>> send(std::string_view content_type, std::string_view body);

  /// Sends the head now, if it is not to wait for the first piece; with `length`, the body is to have that many bytes
  /// and is not chunked.
  [[nodiscard]] task<result<void>> start(std::optional<std::uint64_t> length = std::nullopt);
  /// Sends a piece of the body. Waits while the client does not take it.
  [[nodiscard]] task<result<void>> write(std::string_view piece);
  /// Ends a body that was written in pieces. So does the return of the handler; one that ends by an exception leaves
  /// the client with a body that is visibly cut off.
  [[nodiscard]] task<result<void>> finish();

  /// Something has been sent: status and fields can no longer change.
  [[nodiscard]] bool started() const noexcept;

 private:
  friend class websocket;
  detail::exchange& of_;
};

}  // namespace tare::http
