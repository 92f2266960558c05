#pragma once

// When to retry a failed connection attempt: at increasing intervals, and not all at the same time.
//
// "Full jitter" over the upper half of the delay (Brooker, "Exponential Backoff And Jitter", 2015), and one attempt at
// a time while the database is known to be down: the others fail immediately with the error of the last attempt.

#include <tare/db/error.hpp>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

namespace tare::db::detail {

class backoff {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  backoff(std::chrono::milliseconds first, std::chrono::milliseconds longest, std::uint64_t seed) noexcept
      : first_(first), longest_(longest), random_(seed | 1U) {}

  /// Empty if an attempt may be made now; the caller must then report its outcome. Otherwise the reason why not. Any
  /// thread.
  [[nodiscard]] std::optional<error> refusal(time_point now);
  void succeeded();
  void failed(const error& why, time_point now);
  /// The attempt was abandoned: another caller may make the next one immediately.
  void given_up();

 private:
  std::mutex lock_;
  std::chrono::milliseconds first_;
  std::chrono::milliseconds longest_;
  std::uint64_t random_;
  unsigned failures_ = 0;
  bool trying_ = false;  ///< meaningful after a failure
  time_point next_{};
  std::optional<error> last_;
};

}  // namespace tare::db::detail
