#pragma once

// To see and use the cancellation of the current task.
//
//   while (auto block = next_block()) {
//     hash.update(*block);
//     co_await tare::checkpoint();                              // throws `cancelled`; lets other tasks run
//   }
//   co_await tare::on_cancel(perform(handle), [&]() noexcept { curl_abort(handle); });
//
// Cancellation comes from other tasks of the shard or from its mailbox, so it reaches a task only while the task is
// suspended or queued. A loop that never suspends cannot be cancelled; `checkpoint` and `cancel_requested` suspend it
// from time to time. Bytes: nothing in tasks that use none of this; `checkpoint` needs none either.

#include <tare/detail/join_group.hpp>
#include <tare/detail/promise.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace tare {

namespace detail {

class cancel_query_awaiter;

struct [[nodiscard("nothing happens until it is awaited")]] cancel_query {
  using tare_awaiter = cancel_query_awaiter;
};

class cancel_query_awaiter {
 public:
  cancel_query_awaiter(cancel_query /*request*/, wait_state& task) noexcept : task_(to_link(&task)) {}

  [[nodiscard]] bool await_ready() const noexcept { return task().cancelled != 0 || --current_shard->budget >= 0; }
  void await_suspend(std::coroutine_handle<> /*self*/) const noexcept {
    current_shard->make_ready(task(), wait_kind::ready);
  }
  [[nodiscard]] bool await_resume() const noexcept { return task().cancelled != 0; }

 private:
  [[nodiscard]] wait_state& task() const noexcept { return *from_link<wait_state>(task_); }

  link task_;
};

/// Until the next deadline of a `timeout` around the task; out of line (src/sched/deadline.cpp).
[[nodiscard]] std::optional<std::chrono::nanoseconds> remaining_of(const wait_state& task) noexcept;

class deadline_query_awaiter;

struct [[nodiscard("nothing happens until it is awaited")]] deadline_query {
  using tare_awaiter = deadline_query_awaiter;
};

class deadline_query_awaiter {
 public:
  deadline_query_awaiter(deadline_query /*request*/, const wait_state& task) noexcept : left_(remaining_of(task)) {}

  [[nodiscard]] static bool await_ready() noexcept { return true; }
  static void await_suspend(std::coroutine_handle<> /*self*/) noexcept {}
  [[nodiscard]] std::optional<std::chrono::nanoseconds> await_resume() const noexcept { return left_; }

 private:
  std::optional<std::chrono::nanoseconds> left_;
};

template <class T, class F>
class on_cancel_awaiter;

template <class T, class F>
struct [[nodiscard("nothing happens until it is awaited")]] on_cancel_request {
  using tare_awaiter = on_cancel_awaiter<T, F>;
  task<T> body;
  F function;
};

/// Calls a function when the waiting task is cancelled, before its member is.
template <class F>
struct watched_group : join_group {
  explicit watched_group(F&& when_cancelled)
      : join_group(group_policy::nothing_decides), function(std::move(when_cancelled)) {
    give_up = [](wait_node& self) noexcept {
      auto& group = static_cast<watched_group&>(self);
      group.function();
      detail::cancel_children(group);
    };
  }
  F function;
};

template <class T, class F>
class on_cancel_awaiter : public single_member_awaiter<T, watched_group<F>> {
 public:
  on_cancel_awaiter(on_cancel_request<T, F>&& request, wait_state& /*waiting*/)
      : single_member_awaiter<T, watched_group<F>>(request.body, "on_cancel", std::move(request.function)) {}
};

}  // namespace detail

/// Whether the current task has been cancelled; inside `shield`, whether the shielded part has been. Await it: the
/// result is a bool. Every 128th call in a row lets the shard's other tasks run first, so that a loop on it ends.
///
/// **Errors** None. **Cancellation** Does not throw `cancelled`. **Threads** Any shard. **Bytes** 4 in the frame.
constexpr detail::cancel_query cancel_requested() noexcept { return {}; }

/// A cancellation point for computations: throws `cancelled` if the task has been cancelled. Every 128th call in a row
/// lets the shard's other tasks run first; the others cost a few instructions.
///
/// **Errors** None. **Cancellation** Throws `cancelled`. **Threads** Any shard. **Bytes** 0.
constexpr detail::checkpoint_request checkpoint() noexcept { return {}; }

/// The time that is left until the nearest deadline of a `timeout` or `timeout_at` around the current task: for limits
/// of other libraries, and to begin nothing that cannot end in time. Await it: the result is a
/// std::optional<std::chrono::nanoseconds>, without a value if there is no deadline; zero or less if it has passed.
///
/// A task finds the deadlines by walking up the tasks that await it, so nobody stores them. It sees those of its
/// scope's joiner while that joins, as with `with_scope`. The walk ends where a task has moved to another shard.
///
/// **Errors** None. **Cancellation** Not a cancellation point. **Threads** Any shard. **Bytes** 0; time in proportion
/// to the depth.
constexpr detail::deadline_query remaining() noexcept { return {}; }

/// Awaits `awaitable`, a task or request, and returns its result. If the current task is cancelled meanwhile, calls
/// `function` once, before the cancellation reaches `awaitable`: use it to interrupt a library that the cancellation
/// alone does not reach. If the task is cancelled before, neither is started.
///
/// **Errors** Those of `awaitable`; `function` must not throw. **Cancellation** `awaitable` decides: its result or
/// error is delivered when it has ended. **Threads** `function` runs on the shard of the awaiting task, inside the call
/// that cancels it, and must not block; after the await has returned it is not called. **Bytes** 136, the function
/// and the result in the awaiting frame, and the frame of the awaited task.
template <class A, std::invocable F>
  requires std::is_nothrow_invocable_v<F&>
auto on_cancel(A awaitable, F function) {
  return detail::on_cancel_request<detail::await_result_t<A>, F>{.body = detail::as_task(std::move(awaitable)),
                                                                 .function = std::move(function)};
}

}  // namespace tare
