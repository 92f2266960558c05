#pragma once

// An await with a time limit.
//
//   if (auto row = co_await tare::timeout(50ms, query(id))) use(*row); else give_up();
//
// **Errors** `timed_out`, and whatever the awaited task throws. **Cancellation** Cancels the awaited task and waits
// until it has ended. **Threads** The task's shard. **Bytes** 184 and the result in the awaiting frame, in addition to
// the task's own frame. Setting and clearing the timer is O(1).

#include <tare/detail/join_group.hpp>
#include <tare/detail/timer_node.hpp>
#include <tare/error.hpp>
#include <tare/sleep.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <expected>
#include <type_traits>
#include <utility>

namespace tare {

namespace detail {

template <class T>
class timeout_awaiter;

template <class T>
struct [[nodiscard("nothing happens until it is awaited")]] timeout_request {
  using tare_awaiter = timeout_awaiter<T>;
  task<T> body;
  std::int64_t nanoseconds;  ///< from now, or since the clock's epoch
  bool absolute = false;
};

template <class T>
class timeout_awaiter {
  struct alarm : timer_node {
    join_group* group = nullptr;
    bool rung = false;
    bool absolute = false;  ///< the deadline is a point in time
  };

 public:
  timeout_awaiter(timeout_request<T>&& request, wait_state& /*waiting*/) noexcept {
    alarm_.absolute = request.absolute;
    group_.deadline = request.nanoseconds;
    member_.child = request.body.release("timeout");
    member_.result = room_.place();
    alarm_.group = &group_;
    alarm_.expired = [](timer_node& self) noexcept {
      auto& rung = static_cast<alarm&>(self);
      rung.rung = true;
      cancel_children(*rung.group);
    };
  }

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> self) noexcept {
    if (alarm_.absolute) {
      arm_at(alarm_, group_.deadline);
    } else {
      group_.deadline = arm(alarm_, group_.deadline);
    }
    group_.start(self.promise(), {&member_, 1});
  }

  std::expected<storable_t<T>, timed_out> await_resume() {
    disarm(alarm_);
    if (member_.error) {
      if (alarm_.rung && is_cancellation(member_.error)) return std::unexpected(timed_out());
      std::rethrow_exception(member_.error);
    }
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return room_.take();
    }
  }

 private:
  timed_group group_;
  group_member member_;
  alarm alarm_;
  [[no_unique_address]] result_room<T> room_;
};

}  // namespace detail

/// Awaits `awaitable` for at most `time`, then cancels it, waits until it has ended, and returns `timed_out`. If it
/// still delivers a result after the time limit, the result is returned; an error other than `cancelled` is thrown. A
/// result that is a reference is returned as std::reference_wrapper.
template <class Rep, class Period, class A>
auto timeout(std::chrono::duration<Rep, Period> time, A awaitable) {
  return detail::timeout_request<detail::await_result_t<A>>{.body = detail::as_task(std::move(awaitable)),
                                                            .nanoseconds = detail::saturated_nanoseconds(time)};
}

/// The same, until a point in time of `tare::now()`: for several steps that share a limit. If it has passed, the
/// awaitable is started, and cancelled at its first wait.
template <class A>
auto timeout_at(std::chrono::steady_clock::time_point deadline, A awaitable) {
  return detail::timeout_request<detail::await_result_t<A>>{
      .body = detail::as_task(std::move(awaitable)),
      .nanoseconds = detail::saturated_nanoseconds(deadline.time_since_epoch()),
      .absolute = true};
}

}  // namespace tare
