#include <tare/barrier.hpp>

#include <tare/detail/misuse.hpp>

#include <mutex>

namespace tare {

bool barrier::arrive_awaiter::suspend(detail::wait_state& task) noexcept {
  detail::wake_list woken;
  {
    const std::scoped_lock guard(at_.waiters_.lock);
    if (at_.waiting_ >= at_.expected_) {
      detail::misuse("barrier::arrive_and_wait: more tasks than expected: count all tasks in the constructor");
    }
    last_ = at_.waiting_ + 1 == at_.expected_;
    if (!last_) {
      if (const auto refused = detail::refuse_if_cancelled(task)) return *refused;
      give_up = &detail::give_up_queued<arrive_awaiter>;
      begin(task);
      at_.waiters_.queue.push_back(*this);
      ++at_.waiting_;
      return true;
    }
    at_.complete_round(woken);
  }
  woken.wake_all();
  return detail::current_shard->end_at_once(task);
}

bool barrier::arrive_awaiter::withdraw() noexcept {
  const std::scoped_lock guard(at_.waiters_.lock);
  if (granted) return false;
  leave(at_.waiters_.queue);
  --at_.waiting_;
  return true;
}

void barrier::complete_round(detail::wake_list& woken) noexcept {
  waiting_ = 0;
  while (detail::queued_wait* next = detail::queued_wait::grant_first(waiters_.queue)) woken.push(*next);
}

void barrier::arrive_and_drop() noexcept {
  detail::wake_list woken;
  {
    const std::scoped_lock guard(waiters_.lock);
    if (expected_ == 0) detail::misuse("barrier::arrive_and_drop: no more task is expected");
    --expected_;
    if (waiting_ == 0 || waiting_ != expected_) return;
    static_cast<arrive_awaiter*>(waiters_.queue.front())->last_ = true;
    complete_round(woken);
  }
  woken.wake_all();
}

}  // namespace tare
