#include <tare/notify.hpp>

#include <mutex>
#include <utility>

namespace tare {

bool notify::wait_awaiter::suspend(detail::wait_state& task) noexcept {
  const std::scoped_lock guard(on_.waiters_.lock);
  give_up = &detail::give_up_queued<wait_awaiter>;
  return wait_unless(std::exchange(on_.remembered_, false), task, on_.waiters_.queue);
}

void notify::notify_one() noexcept {
  detail::wake_last woken;
  const std::scoped_lock guard(waiters_.lock);
  if (detail::queued_wait* first = detail::queued_wait::claim_first(waiters_.queue); first != nullptr) {
    woken.grant(*first, waiters_.queue);
  } else {
    remembered_ = true;
  }
}

void notify::notify_all() noexcept {
  detail::wake_list woken;
  {
    const std::scoped_lock guard(waiters_.lock);
    while (detail::queued_wait* next = detail::queued_wait::grant_first(waiters_.queue)) woken.push(*next);
  }
  woken.wake_all();
}

}  // namespace tare
