#include <tare/condition_variable.hpp>

#include <tare/detail/misuse.hpp>

#include <mutex>

// A waiting node is in the queue of the condition variable, and then in that of the mutex. `stage_` says which, and
// changes together with the move, under the condition variable's lock. The mutex's lock is taken inside it, never the
// other way round.

namespace tare {

namespace {

semaphore& mutex_of(semaphore* locked) noexcept {
  if (locked == nullptr) {
    detail::misuse("condition_variable::wait: the guard is empty: lock the mutex first");
  }
  return *locked;
}

}  // namespace

condition_variable::wait_awaiter::wait_awaiter(wait_request request, detail::wait_state& task) noexcept
    : acquire_awaiter({.from = mutex_of(request.held.from_), .count = request.held.count()}, task),
      on_(request.on),
      held_(request.held) {}

bool condition_variable::wait_awaiter::suspend(detail::wait_state& task) noexcept {
  if (const auto refused = detail::refuse_if_cancelled(task)) {
    held_.release();
    return *refused;
  }
  give_up = &wait_awaiter::give_up_wait;
  begin(task);
  {
    const std::scoped_lock guard(on_.waiters_.lock);
    on_.waiters_.queue.push_back(*this);
  }
  held_.release();
  return true;
}

void condition_variable::wait_awaiter::await_resume() {
  // The call that woke this task may still hold the lock; after this the task may destroy the condition variable.
  on_.waiters_.lock.lock();
  on_.waiters_.lock.unlock();
  held_ = acquire_awaiter::await_resume();
}

bool condition_variable::move_on(wait_awaiter& waiter, stage to) noexcept {
  waiter.stage_ = to;
  const std::scoped_lock guard(waiter.from_.waiters_.lock);
  return waiter.enqueue();
}

void condition_variable::wait_awaiter::give_up_wait(detail::wait_node& node) noexcept {
  auto& waiter = static_cast<wait_awaiter&>(node);
  stage reached{};
  {
    const std::scoped_lock guard(waiter.on_.waiters_.lock);
    reached = waiter.stage_;
    if (reached == stage::waiting) {
      waiter.on_.waiters_.queue.remove(waiter);
      waiter.stage_ = stage::cancelled;
    }
  }
  if (reached != stage::waiting) {
    if (!waiter.withdraw()) return;  // it has the mutex
    if (reached == stage::notified) waiter.on_.notify_one();
  }
  waiter.wake_here(detail::wait_kind::ready_cancelled);
}

void condition_variable::notify_one() noexcept {
  detail::wait_node* woken = nullptr;
  {
    const std::scoped_lock guard(waiters_.lock);
    auto* first = static_cast<wait_awaiter*>(waiters_.queue.pop_front());
    if (first != nullptr && !move_on(*first, stage::notified)) woken = first;
  }
  if (woken != nullptr) detail::wake(*woken);
}

void condition_variable::notify_all() noexcept {
  detail::wake_list woken;
  {
    const std::scoped_lock guard(waiters_.lock);
    while (auto* next = static_cast<wait_awaiter*>(waiters_.queue.pop_front())) {
      if (!move_on(*next, stage::notified_among_all)) woken.push(*next);
    }
  }
  woken.wake_all();
}

condition_variable::wait_for_awaiter::wait_for_awaiter(wait_for_request request, detail::wait_state& task) noexcept
    : wait_awaiter(request.wait, task), nanoseconds_(request.nanoseconds) {
  expired = &wait_for_awaiter::time_is_up;
}

void condition_variable::wait_for_awaiter::time_is_up(detail::timer_node& timer) noexcept {
  auto& waiter = static_cast<wait_for_awaiter&>(timer);
  {
    const std::scoped_lock guard(waiter.on_.waiters_.lock);
    if (waiter.stage_ != stage::waiting) return;
    waiter.on_.waiters_.queue.remove(waiter);
    if (move_on(waiter, stage::timed_out)) return;
  }
  waiter.wake_here(detail::wait_kind::ready);
}

bool condition_variable::wait_for_awaiter::await_resume() {
  detail::disarm(*this);
  wait_awaiter::await_resume();
  return stage_ != stage::timed_out;
}

}  // namespace tare
