#pragma once

// Time for tests: stands still while any shard has work, and jumps to the earliest deadline when all are idle.
// Work that `offload` has under way counts as work. A descriptor that is being waited for does not: the driver is asked
// once more before time jumps, and that is all.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

namespace tare::detail {

class driver;

class virtual_time {
 public:
  explicit virtual_time(unsigned shards) : shards_(shards), busy_(shards) {}

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
  };

  void rouse(participant& woken) noexcept;

  void advance_if_all_idle() noexcept;

  std::mutex lock_;
  std::condition_variable changed_;
  std::vector<participant> shards_;
  std::size_t busy_;  ///< shards that are not idle, and blocking calls
  std::atomic<std::int64_t> now_ = 0;
};

}  // namespace tare::detail
