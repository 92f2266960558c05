#pragma once

// What the shards of a runtime do with their time: how busy they are, how long tasks run between two awaits, how late
// timers are, and which coroutine holds up a shard.
//
//   tare::shard_watch watch(rt, {.max_slice = 50ms});                // prints each slice that takes longer
//   ...
//   for (const tare::shard_figures& each : watch.figures()) {
//     fmt::print("busy {:.0f} %, longest slice {}\n", each.busy_share() * 100, each.longest_slice);
//   }
//
// A slice is what a task does between two awaits that suspend it. A shard runs one slice at a time: while a slice takes
// long, every other task of its shard waits. Move such work to `offload`, or divide it with `checkpoint`.
//
// **Bytes** None in any task. Time: nothing is measured while no watch exists; while one exists, the clock is read once
// per slice and twice per sleep of the shard.

#include <tare/await_table.hpp>
#include <tare/shard_id.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace tare {

class runtime;

/// How often something took how long.
struct duration_counts {
  /// The upper bounds of the buckets; the last bucket, which has none, follows.
  static constexpr std::array<std::chrono::nanoseconds, 6> bounds{
      std::chrono::microseconds(10), std::chrono::microseconds(100), std::chrono::milliseconds(1),
      std::chrono::milliseconds(10), std::chrono::milliseconds(100), std::chrono::seconds(1)};
  std::array<std::uint64_t, bounds.size() + 1> buckets{};
  std::chrono::nanoseconds sum{0};

  [[nodiscard]] std::uint64_t count() const noexcept;
};

/// What one shard has done since the watch began.
struct shard_figures {
  std::chrono::nanoseconds watched{0};  ///< time since the watch began
  std::chrono::nanoseconds asleep{0};   ///< of it: had nothing to do
  duration_counts slices;
  std::chrono::nanoseconds longest_slice{0};
  const void* longest_slice_resume = nullptr;  ///< the function that resumed the coroutine of that slice
  duration_counts timers;                      ///< how late expired timers were looked at, once per round of the loop
  std::chrono::nanoseconds latest_timer{0};    ///< the longest of these
  /// Tasks that could run, as of the last tenth of a second in which the shard ran any; at most 65,536 are counted.
  std::size_t queued = 0;
  std::int64_t tasks = 0;  ///< tasks of the shard: detached, of scopes, branches of when_any and the like

  /// Between 0 and 1.
  [[nodiscard]] double busy_share() const noexcept;
};

/// A slice that has taken longer than `shard_watch_options::max_slice` and has not ended.
struct long_slice {
  shard_id shard = 0;
  std::chrono::nanoseconds lasted{0};
  /// The function that resumed the coroutine. If it has returned to its caller within the slice, it is the caller that
  /// still runs.
  const void* resume = nullptr;
  std::optional<std::uint32_t> suspend_index;  ///< where it was resumed, for await_table::place; needs the table
};

struct shard_watch_options {
  /// A slice that takes longer is passed to `on_long_slice`, once. 0: none is, and the watch starts no thread.
  std::chrono::nanoseconds max_slice = std::chrono::milliseconds(100);
  /// Called on the watch's own thread, while the slice still runs. Must not throw. If empty, a line is printed to
  /// standard error, with the function and the line if the table knows them, and else with the address.
  std::function<void(const long_slice&)> on_long_slice = {};
  /// Names the awaits at which slices began. nullptr: none. Must outlive the watch.
  const await_table* awaits = nullptr;
};

/// Measures from its construction to its destruction. One per runtime at a time. The runtime must outlive it.
///
/// **Cancellation** Nothing waits. **Threads** Any. **Bytes** About 500 per shard, kept until the runtime ends, and a
/// thread.
class shard_watch {
 public:
  /// **Errors** Throws std::logic_error if the runtime is already being watched, std::invalid_argument if `max_slice`
  /// is negative, std::system_error if no thread can be started, and std::bad_alloc.
  explicit shard_watch(runtime& rt, shard_watch_options options = {});
  ~shard_watch();
  shard_watch(const shard_watch&) = delete;
  shard_watch& operator=(const shard_watch&) = delete;

  /// By the shard's number. Each number is exact; those of a shard that runs may be from different moments.
  ///
  /// **Errors** Throws std::bad_alloc.
  [[nodiscard]] std::vector<shard_figures> figures() const;

 private:
  class watcher;
  std::unique_ptr<watcher> watcher_;
};

}  // namespace tare
