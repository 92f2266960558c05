#include <tare/event.hpp>

#include <mutex>

namespace tare {

bool event::wait_awaiter::suspend(detail::wait_state& task) noexcept {
  if (on_.has_been_set()) {  // out of steps, or set in the meantime
    detail::current_shard->make_ready(task, detail::wait_kind::ready);
    return true;
  }
  if (const auto refused = detail::refuse_if_cancelled(task)) return *refused;
  detail::wait_node::give_up = &event::give_up;
  begin(task);
  {
    const std::scoped_lock guard(on_.waiters_.lock);
    if (!on_.is_set()) {
      on_.waiters_.queue.push_back(*this);
      return true;
    }
  }
  end();
  return false;
}

void event::set() noexcept {
  detail::wake_list woken;
  {
    const std::scoped_lock guard(waiters_.lock);
    set_.store(true, std::memory_order_release);
    while (detail::queued_wait* next = detail::queued_wait::grant_first(waiters_.queue)) woken.push(*next);
  }
  // A waiter may destroy the event as soon as it is woken.
  woken.wake_all();
}

bool event::wait_awaiter::withdraw() noexcept { return withdraw_from(on_.waiters_.lock, on_.waiters_.queue); }

void event::give_up(detail::wait_node& node) noexcept {
  auto& waiter = static_cast<wait_awaiter&>(node);
  if (waiter.withdraw()) waiter.wake_here(detail::wait_kind::ready_cancelled);
}

}  // namespace tare
