// `state_` is changed by compare-and-swap alone while nobody waits. Whoever has to wait sets `somebody_waits` under
// the lock; from then on every release takes the lock, and the fast acquire fails, until the queue is empty again.

#include <tare/semaphore.hpp>

#include <mutex>

namespace tare {

bool semaphore::acquire_awaiter::suspend(detail::wait_state& task) noexcept {
  if (taken_) {
    detail::current_shard->make_ready(task, detail::wait_kind::ready);
    return true;
  }
  if (detail::refuse_if_cancelled(task)) return false;
  detail::wait_node::give_up = &semaphore::give_up;
  begin(task);
  if (from_.enqueue(*this)) return true;
  end();
  return false;
}

bool semaphore::enqueue(acquire_awaiter& waiter) noexcept {
  const std::scoped_lock guard(waiters_.lock);
  const std::uint64_t wanted = std::uint64_t{waiter.count_} << 1U;
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  for (;;) {
    if ((state & somebody_waits) == 0 && state >= wanted) {
      if (state_.compare_exchange_weak(state, state - wanted, std::memory_order_acquire)) return false;
    } else if (state_.compare_exchange_weak(state, state | somebody_waits, std::memory_order_acquire)) {
      waiters_.queue.push_back(waiter);
      return true;
    }
  }
}

void semaphore::release(std::size_t count) noexcept {
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  while ((state & somebody_waits) == 0) {
    if (state_.compare_exchange_weak(state, state + (std::uint64_t{count} << 1U), std::memory_order_release,
                                     std::memory_order_relaxed)) {
      return;
    }
  }
  detail::wake_list woken;
  {
    const std::scoped_lock guard(waiters_.lock);
    state_.fetch_add(std::uint64_t{count} << 1U, std::memory_order_acq_rel);
    grant(woken);
  }
  woken.wake_all();
}

void semaphore::grant(detail::wake_list& woken) noexcept {
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  while (detail::wait_node* first = waiters_.queue.front()) {
    auto& waiter = static_cast<acquire_awaiter&>(*first);
    const std::uint64_t wanted = std::uint64_t{waiter.count_} << 1U;
    if (state < wanted) return;
    state = state_.fetch_sub(wanted, std::memory_order_acq_rel) - wanted;
    woken.push(*detail::queued_wait::grant_first(waiters_.queue));
  }
  state_.fetch_and(~somebody_waits, std::memory_order_acq_rel);
}

void semaphore::give_up(detail::wait_node& node) noexcept {
  auto& waiter = static_cast<acquire_awaiter&>(node);
  semaphore& from = waiter.from_;
  detail::wake_list woken;
  {
    const std::scoped_lock guard(from.waiters_.lock);
    if (waiter.granted) return;  // it has its permits and is about to be woken
    from.waiters_.queue.remove(waiter);
    from.grant(woken);  // those behind may want less
  }
  waiter.wake_here(detail::wait_kind::ready_cancelled);
  woken.wake_all();
}

}  // namespace tare
