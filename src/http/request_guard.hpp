#pragma once

// Waits for the handler of a request, and can cancel it because it takes too long, because the server stops, or because
// the client has disconnected. 32 bytes, which must be in the arena.
//
// The handler is a separate root, so that cancellation reaches it wherever it has moved. It runs inside the call that
// awaits it: a handler that never waits has ended when that call returns, and its request continues without going
// through the run queue. Otherwise, if all connections sent requests at once, all these requests would be in progress
// at the same time.

#include <tare/detail/branch.hpp>
#include <tare/detail/shard_state.hpp>
#include <tare/detail/wait_node.hpp>
#include <tare/task.hpp>

#include <exception>

namespace tare::http::detail {

class request_guard : private tare::detail::branch {
 public:
  request_guard() noexcept { ended = &request_guard::body_ended; }
  request_guard(const request_guard&) = delete;
  request_guard& operator=(const request_guard&) = delete;
  ~request_guard() = default;

  /// Runs `body`, and suspends `waiting` until it has ended. False if it has already ended. `waiting` is shielded:
  /// cancellation reaches the body by `cancel` alone.
  [[nodiscard]] bool start(tare::detail::wait_state& waiting, task<> body) noexcept;
  /// The exception of the last body.
  [[nodiscard]] const std::exception_ptr& error() const noexcept { return error_; }
  [[nodiscard]] bool running() const noexcept { return child != tare::detail::no_link; }

  /// Cancels the body if it is running.
  void cancel() noexcept;

 private:
  static void body_ended(tare::detail::branch& self, std::exception_ptr error) noexcept;

  tare::detail::link waiting_ = tare::detail::no_link;  ///< suspended until the body has ended
  std::exception_ptr error_;
};
static_assert(sizeof(request_guard) == 32);

}  // namespace tare::http::detail
