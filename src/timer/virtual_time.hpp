#pragma once

// Time for tests: stands still while any shard has work, and jumps to the earliest deadline when all are idle.
// Work that `offload` has under way counts as work. A descriptor that is being waited for does not: the driver is asked
// once more before time jumps, and that is all.
//
// When all are idle and there is no deadline to jump to, nothing can happen any more, unless a descriptor becomes ready
// or a thread that is no shard wakes a task. Whoever made the clock is asked: at once, and, until it has said something
// about it, whenever that has been so for a while of real time.

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
    bool awaits_descriptors;  ///< a task does
    bool for_long;
  };
  /// True if it has said something about it. Called while all shards are idle; it must not call back.
  using on_stall = std::function<bool(stall)>;

  static constexpr std::chrono::milliseconds patience{5'000};

  explicit virtual_time(unsigned shards, on_stall stalled = {},
                        std::chrono::milliseconds until_stalled_for_long = patience)
      : shards_(shards), busy_(shards), stalled_(std::move(stalled)), patience_(until_stalled_for_long) {}

  [[nodiscard]] std::int64_t now() const noexcept { return now_.load(std::memory_order_acquire); }

  /// A shard has nothing to do before `deadline` (nanoseconds). Returns when that has come, after `notify`, or when the
  /// shard's driver, if it has one, reports something.
  void idle(unsigned shard, std::optional<std::int64_t> deadline, driver* io) noexcept;

  /// There is work for a shard.
  void notify(unsigned shard) noexcept;

  void blocking_begins() noexcept;
  void blocking_ends() noexcept;

 private:
  struct participant {
    bool idle = false;
    bool notified = false;
    std::optional<std::int64_t> deadline;
    driver* io = nullptr;  ///< while the shard waits in it
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
