#pragma once

// Time for tests: stands still while any shard has work, and jumps to the earliest deadline when all are idle.
// Work that `offload` has under way counts as work.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

namespace tare::detail {

class virtual_time {
 public:
  explicit virtual_time(unsigned shards) : shards_(shards), busy_(shards) {}

  [[nodiscard]] std::int64_t now() const noexcept { return now_.load(std::memory_order_acquire); }

  /// A shard has nothing to do before `deadline` (nanoseconds). Returns when that has come, or after `notify`.
  void idle(unsigned shard, std::optional<std::int64_t> deadline) noexcept;

  /// There is work for a shard.
  void notify(unsigned shard) noexcept;

  void blocking_begins() noexcept;
  void blocking_ends() noexcept;

 private:
  struct participant {
    bool idle = false;
    bool notified = false;
    std::optional<std::int64_t> deadline;
  };

  void advance_if_all_idle() noexcept;

  std::mutex lock_;
  std::condition_variable changed_;
  std::vector<participant> shards_;
  std::size_t busy_;  ///< shards that are not idle, and blocking calls
  std::atomic<std::int64_t> now_ = 0;
};

}  // namespace tare::detail
