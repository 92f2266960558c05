#include "timer/clock.hpp"

#include "timer/virtual_time.hpp"

#include <chrono>

namespace tare::detail {

std::int64_t clock::now() noexcept {
  if (simulated_ != nullptr) return simulated_->now();
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace tare::detail
