#include <tare/select.hpp>

#include <tare/detail/select_arm.hpp>
#include <tare/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
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

std::size_t random_below(std::size_t count) noexcept {
  // xorshift (Marsaglia, 2003).
  static thread_local std::uint64_t state = 0x9E3779B97F4A7C15U;
  state ^= state << 13U;
  state ^= state >> 7U;
  state ^= state << 17U;
  return static_cast<std::size_t>((state >> 32U) * count >> 32U);
}

}  // namespace tare::detail
