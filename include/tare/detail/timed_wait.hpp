#pragma once

// Waiting in a queue, with and without a time limit.
//
// An awaiter used here has `bool withdraw() noexcept`: it leaves its queue and returns true, unless it has already left
// it, because the primitive has granted what it waits for, or because of an earlier call. Called on the task's shard.

#include <tare/detail/promise.hpp>
#include <tare/detail/queued_wait.hpp>
#include <tare/detail/timer_node.hpp>

#include <coroutine>
#include <cstdint>
#include <utility>

namespace tare::detail {

/// The `give_up` of such an awaiter.
template <class Awaiter>
void give_up_queued(wait_node& node) noexcept {
  auto& waiter = static_cast<Awaiter&>(node);
  if (waiter.withdraw()) waiter.wake_here(wait_kind::ready_cancelled);
}

template <class Awaiter>
class timed_wait;

template <class Request>
struct [[nodiscard("nothing happens until it is awaited")]] timed_request {
  using tare_awaiter = timed_wait<typename Request::tare_awaiter>;
  Request wait;
  std::int64_t nanoseconds;
};

/// Adds a time limit to an awaiter, which must also have a static `none()`: the result when the time is up. The timer
/// takes 32 bytes; a `timeout` around the same await would take 184 and a frame.
template <class Awaiter>
class timed_wait : public Awaiter, private timer_node {
 public:
  template <class Request>
  timed_wait(timed_request<Request> request, wait_state& task)
      : Awaiter(std::move(request.wait), task), nanoseconds_(request.nanoseconds) {
    expired = [](timer_node& self) noexcept {
      auto& waiter = static_cast<timed_wait&>(self);
      if (!waiter.withdraw()) return;
      waiter.time_is_up_ = true;
      waiter.wake_here(wait_kind::ready);
    };
  }

  // NOLINTBEGIN(bugprone-derived-method-shadowing-base-method): the compiler calls these on this type
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    if (!Awaiter::await_suspend(self)) return false;
    // Otherwise the task is already queued to continue. Another thread that ends the wait cannot change the kind: it
    // sends a message to this shard.
    const wait_state& task = self.promise();
    if (task.kind() == wait_kind::node) arm(*this, nanoseconds_);
    return true;
  }
  /// Not for `select`, which has no use for the limit: add a `sleep_for` to it.
  bool try_now(wake_last& woken) = delete;
  auto await_resume() {
    disarm(*this);
    if (!time_is_up_) return Awaiter::await_resume();
    current_shard->throw_if_cancelled();
    return Awaiter::none();
  }
  // NOLINTEND(bugprone-derived-method-shadowing-base-method)

 private:
  std::int64_t nanoseconds_;
  bool time_is_up_ = false;
};

}  // namespace tare::detail
