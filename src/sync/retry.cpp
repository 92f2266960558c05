#include <tare/retry.hpp>

#include <tare/detail/random.hpp>

#include <algorithm>
#include <stdexcept>

namespace tare::detail {

using std::chrono::nanoseconds;

namespace {

/// Longer pauses would not fit into a double and back.
constexpr nanoseconds max_pause = std::chrono::years(100);

}  // namespace

backoff::backoff(const retry_policy& policy) : policy_(policy) {
  if (policy.max_attempts == 0) throw std::invalid_argument("tare::retry: max_attempts must be at least 1");
  if (!(policy.factor >= 1)) throw std::invalid_argument("tare::retry: factor must be at least 1");
  if (!(policy.jitter >= 0 && policy.jitter <= 1)) throw std::invalid_argument("tare::retry: jitter is from 0 to 1");
  if (policy.first_delay < nanoseconds::zero() || policy.max_delay < nanoseconds::zero() ||
      policy.max_time < nanoseconds::zero()) {
    throw std::invalid_argument("tare::retry: a time must not be negative");
  }
  policy_.max_delay = std::min(policy.max_delay, max_pause);
  policy_.first_delay = std::min(policy.first_delay, policy_.max_delay);
}

std::optional<nanoseconds> backoff::next() noexcept {
  if (attempts_ >= policy_.max_attempts) return std::nullopt;
  ++attempts_;

  const nanoseconds longest = policy_.first_delay;
  const double grown = static_cast<double>(policy_.first_delay.count()) * policy_.factor;
  const auto most = static_cast<double>(policy_.max_delay.count());
  policy_.first_delay = grown < most ? nanoseconds(static_cast<nanoseconds::rep>(grown)) : policy_.max_delay;

  constexpr std::size_t steps = 1U << 20U;
  const double random = static_cast<double>(random_below(steps + 1)) / static_cast<double>(steps);
  const double part = 1 - policy_.jitter * random;
  const auto pause =
      std::min(longest, nanoseconds(static_cast<nanoseconds::rep>(static_cast<double>(longest.count()) * part)));
  const nanoseconds elapsed = now() - began_;
  if (elapsed > policy_.max_time || pause > policy_.max_time - elapsed) return std::nullopt;
  return pause;
}

}  // namespace tare::detail
