#pragma once

// When to try again to connect, after it has failed: later and later, and not all at the same time.
//
// "Full jitter" over the upper half of the delay (Brooker, "Exponential Backoff And Jitter", 2015), and one attempt at
// a time while the database is known to be down: the others fail at once with what the last attempt said.

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

  /// Nothing if an attempt may be made now: the caller then has to tell how it went. Otherwise why not. Any thread.
  [[nodiscard]] std::optional<error> refusal(time_point now);
  void succeeded();
  void failed(const error& why, time_point now);
  /// The attempt was given up: somebody else may make the next one at once.
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
