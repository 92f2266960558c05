#pragma once

// What all coroutines of the runtime are currently waiting for, grouped by coroutine and by what it waits for.
//
//   tare::task_snapshot seen = co_await tare::snapshot();
//   for (const tare::frame_group& each : seen.groups) {
//     fmt::print("{} of {} B wait for a {}\n", each.count, each.frame_bytes, name_of(each.waiting_for));
//   }
//
// With an await table of the program (<tare/await_table.hpp>), frames are also grouped by the await at which they are
// suspended.
//
// **Bytes** None in any task, and no instructions either: nothing is recorded between snapshots. A snapshot makes each
// shard walk its frame memory, at about 5 ns per frame (docs/performance.md). The shard walks in portions and runs its
// tasks in between; the duration of each portion is part of the result. `tare/symbols.hpp` turns the groups' addresses
// into names and lines.

#include <tare/runtime.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace tare {

class await_table;

struct snapshot_options {
  /// Maximum time that a shard walks frames before it runs its tasks again. It may be exceeded by a few microseconds,
  /// and by any time during which the system preempts the thread; `walked_heap::longest_pause` is the actual value.
  std::chrono::nanoseconds longest_pause = std::chrono::microseconds(500);
  /// Gives the position of the suspend index in the frames of each coroutine; frames are then also grouped by it. Must
  /// outlive the snapshot. nullptr: not grouped by suspend index.
  const await_table* awaits = nullptr;
};

/// What a coroutine waits for.
enum class awaited : std::uint8_t {
  start,       ///< to be awaited or spawned: it has only been called
  turn,        ///< its turn in the run queue
  nothing,     ///< it is running
  timer,       ///< the end of a sleep
  child,       ///< a coroutine that it awaits
  descriptor,  ///< a socket or a file descriptor
  primitive,   ///< semaphore, mutex, channel, event, scope, when_all, when_any, timeout, offload
  end,         ///< destruction: it has finished
  unknown,     ///< another thread is creating the frame right now
};
inline constexpr std::size_t awaited_count = 9;

/// The name of the enumerator, such as "timer".
[[nodiscard]] std::string_view name_of(awaited what) noexcept;

/// Frames of the same coroutine that wait for the same thing, at the same await if that is known.
struct frame_group {
  const void* resume = nullptr;  ///< the function that resumes the coroutine; nullptr if it has finished
  awaited waiting_for = awaited::unknown;
  /// The suspend index; await_table::place() maps it to a line. Empty without a table, for coroutines that the table
  /// does not contain, and for `nothing`, `end` and `unknown`.
  std::optional<std::uint32_t> suspend_index;
  std::size_t frame_bytes = 0;  ///< of one frame, including the heap's rounding
  std::size_t count = 0;

  [[nodiscard]] std::size_t total_bytes() const noexcept { return frame_bytes * count; }
  friend bool operator==(const frame_group&, const frame_group&) = default;
};

/// What was found in the frame memory of a shard.
struct walked_heap {
  std::size_t frames = 0;
  std::size_t frame_bytes = 0;  ///< of these
  std::size_t live_bytes = 0;   ///< of everything allocated: frames, freed frames kept for reuse, buffers, slots
  std::size_t held_bytes = 0;   ///< obtained from the system by the shard
  std::size_t pauses = 0;       ///< portions in which it was walked
  std::chrono::nanoseconds longest_pause{0};  ///< the longest portion
};

struct task_snapshot {
  std::vector<frame_group> groups;  ///< heaviest first
  std::vector<walked_heap> shards;  ///< by the shard's number
  /// Frames made by threads that run no shard, such as the first frame of `runtime::run`. All runtimes of the process
  /// share this memory.
  walked_heap outside;
  /// Frames that are in no group because there were more than 4,096 groups.
  std::size_t ungrouped = 0;

  [[nodiscard]] std::size_t frames() const noexcept;
  [[nodiscard]] std::size_t frame_bytes() const noexcept;
  /// The longest pause of any shard.
  [[nodiscard]] std::chrono::nanoseconds longest_pause() const noexcept;
};

/// Walks the frames of all shards of the calling task's runtime. Ends when all shards have finished: a busy shard, or
/// shard 0 while no thread runs it, delays it.
///
/// - A frame that exists from the beginning to the end is counted once, by the shard that owns its memory: the shard on
///   which its coroutine was called, even if its task has moved since. What it waits for is as of any moment in
///   between.
/// - A frame that is created or destroyed meanwhile may or may not be counted. The frames of the snapshot itself are
///   counted.
/// - If a task runs on a shard other than the one that owns its memory, its frame is read while that shard's thread may
///   be writing to it: the result may be what the task has just waited for or is about to wait for. A detached task
///   that is running at that moment may be reported as not started. A frame that an outside thread is about to create
///   may be reported as what was there before.
/// - Frames made by tasks of another runtime are not seen, even if they now run on this one.
///
/// **Errors** Throws std::bad_alloc. **Cancellation** Throws `cancelled`. **Threads** Tasks of any
/// shard. **Bytes** 48 per group of frames.
task<task_snapshot> snapshot(snapshot_options options = {});

}  // namespace tare
