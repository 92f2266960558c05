#include <tare/select.hpp>

#include <tare/detail/select_arm.hpp>
#include <tare/error.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>

namespace tare::detail {

void select_wait::throw_cancelled() { throw cancelled(); }

void select_wait::held_locks::lock() noexcept {
  std::sort(locks_, locks_ + count_, std::less<>());
  count_ = static_cast<std::size_t>(std::unique(locks_, locks_ + count_) - locks_);
  for (std::size_t i = 0; i < count_; ++i) locks_[i]->lock();
}

select_wait::held_locks::~held_locks() {
  while (count_ > 0) locks_[--count_]->unlock();
}

}  // namespace tare::detail
