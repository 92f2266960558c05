#include "db/backoff.hpp"

#include <algorithm>

namespace tare::db::detail {

std::optional<error> backoff::refusal(time_point now) {
  const std::scoped_lock guard(lock_);
  if (failures_ == 0) return std::nullopt;
  if (trying_ || now < next_) return last_;
  trying_ = true;
  return std::nullopt;
}

void backoff::succeeded() {
  const std::scoped_lock guard(lock_);
  failures_ = 0;
  trying_ = false;
  last_.reset();
}

void backoff::failed(const error& why, time_point now) {
  const std::scoped_lock guard(lock_);
  last_ = why;
  // Attempts that began before the first of them failed count as one.
  if (failures_ != 0 && !trying_) return;
  trying_ = false;
  const auto doubled = first_ * (std::int64_t{1} << std::min(failures_, 20U));
  const auto delay = std::min(doubled, longest_);
  ++failures_;
  // xorshift (Marsaglia, 2003)
  random_ ^= random_ << 13U;
  random_ ^= random_ >> 7U;
  random_ ^= random_ << 17U;
  const auto half = std::max<std::int64_t>(1, delay.count() / 2);
  next_ = now + std::chrono::milliseconds(delay.count() - half + static_cast<std::int64_t>(random_ >> 1U) % half);
}

void backoff::given_up() {
  const std::scoped_lock guard(lock_);
  trying_ = false;
}

}  // namespace tare::db::detail
