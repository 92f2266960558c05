#include <tare/select.hpp>

#include <tare/detail/select_arm.hpp>
#include <tare/error.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>

namespace tare::detail {

void select_wait::throw_cancelled() { throw cancelled(); }

bool select_wait::held_locks::add_lower(brief_lock* lock) noexcept {
  if (std::find(locks_, locks_ + count_, lock) != locks_ + count_) return true;
  if (!lock->try_lock()) return false;
  locks_[count_++] = lock;
  return true;
}

void select_wait::held_locks::lock_in_order() noexcept {
  std::sort(locks_, locks_ + count_, std::less<>());
  count_ = static_cast<std::size_t>(std::unique(locks_, locks_ + count_) - locks_);
  for (std::size_t i = 0; i < count_; ++i) locks_[i]->lock();
}

}  // namespace tare::detail
