#include <tare/semaphore.hpp>

#include <mutex>

namespace tare {

bool semaphore::acquire_awaiter::suspend(detail::wait_state& task) noexcept {
  if (taken_) {
    detail::current_shard->make_ready(task, detail::wait_kind::ready);
    return true;
  }
  if (const auto refused = detail::refuse_if_cancelled(task)) return *refused;
  detail::wait_node::give_up = &semaphore::give_up;
  begin(task);
  if (from_.enqueue(*this)) return true;
  end();
  return false;
}

bool semaphore::enqueue(acquire_awaiter& waiter) noexcept {
  const std::scoped_lock guard(waiters_.lock);
  if (free_.take_or_announce(waiter.count_)) return false;
  waiters_.queue.push_back(waiter);
  return true;
}

void semaphore::release(std::size_t count) noexcept {
  if (free_.add(count)) return;
  detail::wake_list woken;
  {
    const std::scoped_lock guard(waiters_.lock);
    free_.add_for_waiters(count);
    grant(woken);
  }
  woken.wake_all();
}

void semaphore::grant(detail::wake_list& woken) noexcept {
  while (detail::wait_node* first = waiters_.queue.front()) {
    if (!free_.take_for_waiter(static_cast<acquire_awaiter&>(*first).count_)) return;
    woken.push(*detail::queued_wait::grant_first(waiters_.queue));
  }
  free_.nobody_waits();
}

void semaphore::give_up(detail::wait_node& node) noexcept {
  auto& waiter = static_cast<acquire_awaiter&>(node);
  semaphore& from = waiter.from_;
  detail::wake_list woken;
  {
    const std::scoped_lock guard(from.waiters_.lock);
    if (waiter.granted) return;  // it has its permits and is about to be woken
    from.waiters_.queue.remove(waiter);
    from.grant(woken);  // later waiters may want less
  }
  waiter.wake_here(detail::wait_kind::ready_cancelled);
  woken.wake_all();
}

}  // namespace tare
