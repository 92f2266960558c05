#include <tare/semaphore.hpp>

#include <tare/detail/misuse.hpp>

#include <mutex>
#include <utility>

namespace tare {

bool semaphore::acquire_awaiter::suspend(detail::wait_state& task) noexcept {
  if (taken_) {
    detail::current_shard->make_ready(task, detail::wait_kind::ready);
    return true;
  }
  if (const auto refused = detail::refuse_if_cancelled(task)) return *refused;
  give_up = &detail::give_up_queued<acquire_awaiter>;
  begin(task);
  {
    const std::scoped_lock guard(from_.waiters_.lock);
    if (enqueue()) return true;
  }
  end();
  return false;
}

bool semaphore::acquire_awaiter::enqueue() noexcept {
  if (from_.closed_ || from_.free_.take_or_announce(count_)) {
    refused_ = from_.closed_;
    granted = true;
    return false;
  }
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
  if (!closed_) free_.nobody_waits();
}

void semaphore::close() noexcept {
  detail::wake_list woken;
  {
    const std::scoped_lock guard(waiters_.lock);
    closed_ = true;
    free_.announce();  // and it stays: every later call goes through the lock
    while (detail::queued_wait* next = detail::queued_wait::grant_first(waiters_.queue)) {
      static_cast<acquire_awaiter*>(next)->refused_ = true;
      woken.push(*next);
    }
  }
  woken.wake_all();
}

bool semaphore::is_closed() const noexcept {
  const std::scoped_lock guard(waiters_.lock);
  return closed_;
}

semaphore_permit semaphore_permit::split(std::size_t count) noexcept {
  if (count > this->count()) detail::misuse("semaphore_permit::split: more permits than are held");
  if (count == this->count()) return std::move(*this);
  count_ -= count;
  return {*from_, count};
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

}  // namespace tare
