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
  {
    const std::scoped_lock guard(from_.waiters_.lock);
    if (enqueue()) return true;
  }
  end();
  return false;
}

bool semaphore::acquire_awaiter::enqueue() noexcept {
  if (from_.free_.take_or_announce(count_)) return false;
  from_.waiters_.queue.push_back(*this);
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
  while (auto* first = static_cast<acquire_awaiter*>(waiters_.queue.front())) {
    if (first->is_stale()) {
      first->leave(waiters_.queue);
      continue;
    }
    if (!free_.take_for_waiter(first->count_)) return;
    const bool claimed = first->claim();
    first->leave(waiters_.queue);
    if (claimed) {
      woken.push(*first);
    } else {
      free_.add_for_waiters(first->count_);
    }
  }
  free_.nobody_waits();
}

bool semaphore::acquire_awaiter::withdraw() noexcept {
  detail::wake_list woken;
  {
    const std::scoped_lock guard(from_.waiters_.lock);
    if (granted) return false;  // it has its permits and is about to be woken
    leave(from_.waiters_.queue);
    from_.grant(woken);  // later waiters may want less
  }
  woken.wake_all();
  return true;
}

void semaphore::give_up(detail::wait_node& node) noexcept {
  auto& waiter = static_cast<acquire_awaiter&>(node);
  if (waiter.withdraw()) waiter.wake_here(detail::wait_kind::ready_cancelled);
}

}  // namespace tare
