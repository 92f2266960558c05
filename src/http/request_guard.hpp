#pragma once

// Waits for the handler of a request, and can cancel it because it takes too long, because the server stops, or because
// the client has disconnected. For the last, a watcher may run concurrently, which waits for the end of the connection.
//
// The handler is a separate root, so that cancellation reaches it wherever it has moved. It runs inside the call that
// awaits it: a handler that never waits has ended when that call returns, and its request continues without going
// through the run queue. Otherwise, if all connections sent requests at once, all these requests would be in progress
// at the same time.

#include <tare/detail/branch.hpp>
#include <tare/detail/shard_state.hpp>
#include <tare/detail/wait_node.hpp>
#include <tare/task.hpp>

#include <coroutine>
#include <exception>
#include <utility>

namespace tare::http::detail {

class request_guard : public tare::detail::waiting_parent {
 public:
  class awaiter;
  struct run_request {
    using tare_awaiter = awaiter;
    request_guard& guard;
    task<> body;
  };

  request_guard() noexcept;
  request_guard(const request_guard&) = delete;
  request_guard& operator=(const request_guard&) = delete;
  ~request_guard() = default;

  /// Runs `body` to completion; `error()` is its exception.
  [[nodiscard]] run_request run(task<> body) noexcept { return {.guard = *this, .body = std::move(body)}; }
  [[nodiscard]] const std::exception_ptr& error() const noexcept { return body_.error; }
  [[nodiscard]] bool running() const noexcept { return body_.child != tare::detail::no_link; }

  /// Cancels the body if it is running.
  void cancel() noexcept;

  /// While the body runs: starts `watcher`, and cancels the body if the watcher returns true before the body has ended.
  void watch(task<bool> watcher) noexcept;
  [[nodiscard]] bool watched() const noexcept { return watched_; }
  /// Ends the watcher; no other watcher is started.
  void stop_watching() noexcept;
  [[nodiscard]] bool client_left() const noexcept { return left_; }

 private:
  struct member : tare::detail::branch {
    request_guard* guard = nullptr;
    std::exception_ptr error;
  };

  /// False if the body has already ended.
  [[nodiscard]] bool start(tare::detail::wait_state& waiting, task<> body) noexcept;
  static void member_ended(tare::detail::branch& self, std::exception_ptr error) noexcept;

  member body_;
  member watcher_;
  unsigned running_ = 0;
  bool starting_ = false;
  bool watched_ = false;
  bool left_ = false;
};

class request_guard::awaiter {
 public:
  awaiter(run_request&& request, tare::detail::wait_state& /*waiting*/) noexcept
      : guard_(request.guard), body_(std::move(request.body)) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return guard_.start(self.promise(), std::move(body_));
  }
  static void await_resume() noexcept {}

 private:
  request_guard& guard_;
  task<> body_;
};

}  // namespace tare::http::detail
