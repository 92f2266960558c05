#pragma once

// The awaits of a WebSocket. Neither needs a frame unless it has to: a message that arrives in pieces is assembled by
// the reactor (io_call::attempt_read), and a message that the system accepts at once is sent in the awaiting frame.

#include <tare/detail/link.hpp>
#include <tare/detail/promise.hpp>
#include <tare/detail/shard_state.hpp>
#include <tare/http/error.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>
#include <system_error>

namespace tare::http::detail {

enum class opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close = 0x8,
  ping = 0x9,
  pong = 0xA,
};

// Of event streams: the data are an `event`, or text.
inline constexpr auto as_event = static_cast<opcode>(0x20);
inline constexpr auto as_event_data = static_cast<opcode>(0x21);
// Of a message in pieces (message_writer.hpp).
inline constexpr auto as_piece = static_cast<opcode>(0x22);
inline constexpr auto as_last_piece = static_cast<opcode>(0x23);

/// True if the result is ready. `in_pieces`: a piece of a message will do.
[[nodiscard]] bool begin_receive(tare::detail::link connection, bool in_pieces) noexcept;
/// What `await_suspend` returns.
[[nodiscard]] std::coroutine_handle<> wait_to_receive(tare::detail::link connection,
                                                      tare::detail::wait_state& task) noexcept;
/// `Received` is websocket::message, or websocket::piece. Throws `cancelled`.
template <class Received>
[[nodiscard]] result<Received> take_received(tare::detail::link connection);

template <class Received, bool InPieces>
class receive_awaiter;

template <class Received, bool InPieces>
struct [[nodiscard("nothing happens until it is awaited")]] receive_request {
  using tare_awaiter = receive_awaiter<Received, InPieces>;
  tare::detail::link connection;
};

template <class Received, bool InPieces>
class receive_awaiter {
 public:
  receive_awaiter(receive_request<Received, InPieces> request, tare::detail::wait_state& /*task*/) noexcept
      : connection_(request.connection) {}

  [[nodiscard]] bool await_ready() const noexcept { return begin_receive(connection_, InPieces); }
  template <class Promise>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
    return wait_to_receive(connection_, self.promise());
  }
  [[nodiscard]] result<Received> await_resume() const { return take_received<Received>(connection_); }

 private:
  tare::detail::link connection_;
};

class send_awaiter;

struct [[nodiscard("nothing happens until it is awaited")]] send_request {
  using tare_awaiter = send_awaiter;
  const char* data;
  std::uint32_t size;
  tare::detail::link connection;
  opcode as;
};

/// What is known of a send: what to send, then its result or the task that sends the rest.
union send_state {
  explicit send_state(const send_request& made) noexcept : request(made) {}
  send_request request;
  tare::detail::link rest;  ///< delivers a std::error_code
  std::error_code error;
};

/// Sends a frame, or as much of it as the system accepts. True if there is nothing more to do: `state` is the result.
/// In place, because the frame would keep a separate variable.
[[nodiscard]] bool begin_send(send_state& state) noexcept;

class send_awaiter {
 public:
  send_awaiter(const send_request& request, tare::detail::wait_state& /*task*/) noexcept : state_(request) {}
  send_awaiter(const send_awaiter&) = delete;
  send_awaiter& operator=(const send_awaiter&) = delete;
  ~send_awaiter() = default;

  [[nodiscard]] bool await_ready() noexcept { return begin_send(state_); }
  template <class Promise>
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
    tare::detail::wait_state& task = self.promise();
    task.prev = state_.rest;
    task.set_kind(tare::detail::wait_kind::child);
    task.next = static_cast<tare::detail::link>(reinterpret_cast<std::byte*>(&state_.error) -
                                                reinterpret_cast<std::byte*>(&task));
    return tare::detail::start_child(task);
  }
  [[nodiscard]] result<void> await_resume() const {
    tare::detail::current_shard->rethrow_in_flight();
    if (state_.error) return std::unexpected(state_.error);
    return {};
  }

 private:
  send_state state_;
};

}  // namespace tare::http::detail
