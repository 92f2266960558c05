#pragma once

// The response, sent by the handler as a whole or piece by piece.
//
//   co_await response.send("text/plain", "hello");
//
//   co_await response.status(201).set("location", "/items/7").send();
//
//   response.set("content-type", "text/csv");              // streamed: chunked, or with a length given to start()
//   while (auto row = co_await rows.next()) co_await response.write(*row);
//   co_await response.finish();
//
// A small response is sent in one system call. The response to a HEAD request has no body, whatever the handler does.
// The server adds Date, Content-Length, Transfer-Encoding and Connection.

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

/// If a handler returns without having sent anything, its status and fields are sent without a body.
///
/// **Errors** A send returns the error of the connection, which means that the client is gone: just clean up. It
/// returns errc::already_sent if the response is complete or has failed, errc::wrong_length if the body differs from
/// the announced length, and std::errc::not_enough_memory if others needed the memory. **Cancellation** A send that is
/// cancelled may have sent a part; then nothing more can be sent, and the connection is closed. **Threads** On the
/// shard of the request. **Bytes** The fields until they are sent; a send that has to wait for the client copies the
/// head, and bodies of up to 16 KiB.
class response {
 public:
  response(const response&) = delete;
  response& operator=(const response&) = delete;

  /// 200 unless set; 200 to 599. **Errors** Throws std::invalid_argument.
  response& status(unsigned code);
  /// **Errors** Throws std::invalid_argument for invalid names and values, and for the fields that the server sets
  /// itself.
  response& set(std::string_view name, std::string_view value);
  response& add(std::string_view name, std::string_view value);
  [[nodiscard]] fields_view fields() const noexcept;
  /// Closes the connection after this response.
  response& close() noexcept;

  /// Sends the whole response. `body` must outlive the await.
  task<result<void>> send(std::string_view body = {});
  /// The same with a Content-Type.
  task<result<void>> send(std::string_view content_type, std::string_view body);

  /// Sends the head now instead of with the first piece. With `length`, the body must have exactly that many bytes and
  /// is not chunked.
  task<result<void>> start(std::optional<std::uint64_t> length = std::nullopt);
  /// Sends a piece of the body. Waits until the client accepts it.
  task<result<void>> write(std::string_view piece);
  /// Ends a body that was written in pieces. Returning from the handler does the same; if the handler throws, the
  /// client can tell that the body is truncated.
  task<result<void>> finish();

  /// Whether something has been sent: then status and fields can no longer change.
  [[nodiscard]] bool started() const noexcept;

 private:
  friend class websocket;
  friend class detail::exchange;
  response() = default;
  ~response() = default;
  /// What this is a part of.
  [[nodiscard]] detail::exchange& of() const noexcept;
};

}  // namespace tare::http
