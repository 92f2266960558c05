#pragma once

// The figures of one watched shard (shard_watch.hpp). The shard's thread writes them, any thread reads them.

#include <tare/detail/wait_state.hpp>
#include <tare/shard_watch.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace tare::detail {

class run_queue;

/// A histogram that one thread writes.
class duration_meter {
 public:
  void add(std::int64_t nanoseconds) noexcept;
  void clear() noexcept;
  [[nodiscard]] duration_counts counts() const noexcept;

 private:
  std::array<std::atomic<std::uint64_t>, duration_counts::bounds.size() + 1> buckets_{};
  std::atomic<std::int64_t> sum_ = 0;
};

class shard_meter {
 public:
  /// The slice in progress. `number` 0: none.
  struct slice {
    std::uint64_t number = 0;
    std::int64_t began = 0;
    const void* resume = nullptr;
    std::optional<std::uint32_t> suspend_index;
  };

  /// In nanoseconds of the real clock, also for a runtime with virtual time.
  [[nodiscard]] static std::int64_t now() noexcept;

  /// Called before the shard gets the meter.
  void begin(const await_table* awaits) noexcept;
  /// Called after the shard has lost it: the table may be destroyed. Waits for a slice that is just beginning.
  void end() noexcept;

  // Called by the shard.
  void round_begins(const run_queue& ready) noexcept;
  void slice_begins(const wait_state& task) noexcept;
  void slices_end() noexcept;
  void sleep_begins() noexcept { asleep_since_.store(now(), std::memory_order_relaxed); }
  void sleep_ends() noexcept;
  void timers_expired(std::int64_t late_by) noexcept;

  // Any thread.
  [[nodiscard]] shard_figures figures() const noexcept;
  [[nodiscard]] slice current_slice() const noexcept;

 private:
  void close_slice(std::int64_t at) noexcept;
  [[nodiscard]] std::uint32_t suspend_index_in(const std::byte* frame, const void* resume) noexcept;

  static constexpr std::uint32_t no_index = UINT32_MAX;

  std::atomic<const await_table*> awaits_ = nullptr;
  std::atomic<bool> reads_table_ = false;
  std::atomic<std::int64_t> began_ = 0;
  std::atomic<std::int64_t> asleep_ = 0;
  std::atomic<std::int64_t> asleep_since_ = 0;  ///< 0: awake
  duration_meter slices_;
  std::atomic<std::int64_t> longest_slice_ = 0;
  std::atomic<const void*> longest_slice_resume_ = nullptr;
  duration_meter timers_;
  std::atomic<std::int64_t> latest_timer_ = 0;
  std::atomic<std::size_t> queued_ = 0;
  std::int64_t counted_at_ = 0;

  // The current slice: `number_` is odd while the rest is being changed, and the rest is valid if it is even and not 0.
  std::atomic<std::uint64_t> number_ = 0;
  std::atomic<std::int64_t> slice_began_ = 0;  ///< 0: no task runs
  std::atomic<const void*> slice_resume_ = nullptr;
  std::atomic<std::uint32_t> slice_index_ = no_index;
};

}  // namespace tare::detail
