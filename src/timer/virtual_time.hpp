#pragma once

// Time for tests: stands still while any shard has work, and jumps to the earliest deadline when all are idle. A
// running `offload` call counts as work. A wait for a descriptor does not: the driver is only polled once more before
// time jumps.
//
// If all are idle and no deadline remains, only a ready descriptor or a thread outside the shards can wake a task. The
// clock then calls the function passed to it: immediately, and again after a period of real time in this state, until
// the function has reported it.

#include <tare/shard_id.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace tare::detail {

class driver;

class virtual_time {
 public:
  struct stall {
    bool awaits_descriptors;  ///< a task waits for a descriptor
    bool for_long;
  };
  /// True if it has reported the stall. Called while all shards are idle; it must not call back.
  using on_stall = std::function<bool(stall)>;

  static constexpr std::chrono::milliseconds patience{5'000};

  explicit virtual_time(shard_id shards, on_stall stalled = {},
                        std::chrono::milliseconds until_stalled_for_long = patience)
      : shards_(shards), busy_(shards), stalled_(std::move(stalled)), patience_(until_stalled_for_long) {}

  [[nodiscard]] std::int64_t now() const noexcept { return now_.load(std::memory_order_acquire); }

  /// A shard has nothing to do before `deadline` (nanoseconds). Returns at that time, after `notify`, or when the
  /// shard's driver, if any, reports something.
  void idle(shard_id shard, std::optional<std::int64_t> deadline, driver* io) noexcept;

  /// A shard has work.
  void notify(shard_id shard) noexcept;

  void blocking_begins() noexcept;
  void blocking_ends() noexcept;

 private:
  struct participant {
    bool idle = false;
    bool notified = false;
    std::optional<std::int64_t> deadline;
    driver* io = nullptr;  ///< set while the shard waits in it
    bool awaits_descriptors = false;
  };

  void rouse(participant& woken) noexcept;
  void wait_without_driver(std::unique_lock<std::mutex>& guard, participant& self) noexcept;
  void wait_in_driver(std::unique_lock<std::mutex>& guard, participant& self, driver& io) noexcept;

  void advance_if_all_idle() noexcept;
  [[nodiscard]] std::optional<std::int64_t> earliest_deadline() const noexcept;
  void report_stall(bool for_long) noexcept;

  std::mutex lock_;
  std::condition_variable changed_;
  std::vector<participant> shards_;
  std::size_t busy_;  ///< shards that are not idle, and blocking calls
  std::atomic<std::int64_t> now_ = 0;
  on_stall stalled_;
  std::chrono::milliseconds patience_;
  bool stall_reported_ = false;
};

}  // namespace tare::detail
