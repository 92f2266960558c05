#pragma once

// What all coroutines of the runtime are waiting for at this moment: grouped by coroutine and by what it waits for.
//
//   tare::task_snapshot seen = co_await tare::snapshot();
//   for (const tare::frame_group& each : seen.groups) {
//     fmt::print("{} of {} B wait for a {}\n", each.count, each.frame_bytes, name_of(each.waiting_for));
//   }
//
// With a table of the program's awaits (<tare/await_table.hpp>) frames are told apart by the await, too, at which they
// are suspended.
//
// Bytes: none in any task, and no instruction either: while nobody asks, nothing is kept. Who asks has each shard look
// through the memory of its frames, some 5 ns for each (docs/performance.md). The shard does it in portions, between
// which its tasks run, and what each portion took is part of the answer. `tare/symbols.hpp` turns the groups' addresses
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
  /// For so long at most a shard looks at frames before it lets its tasks run again. A few microseconds may come on
  /// top, and whatever the system takes the processor away for; `walked_heap::longest_pause` is what it came to.
  std::chrono::nanoseconds longest_pause = std::chrono::microseconds(500);
  /// Tells where the frames of a coroutine have their suspend index, by which they are then grouped, too. It stays
  /// until the snapshot has been taken. nullptr: they are not.
  const await_table* awaits = nullptr;
};

/// What a coroutine waits for.
enum class awaited : std::uint8_t {
  start,       ///< to be awaited or spawned: it has been called and no more
  turn,        ///< its turn: it is queued
  nothing,     ///< it runs
  timer,       ///< the end of a sleep
  child,       ///< a coroutine that it awaits
  descriptor,  ///< a socket or a file descriptor
  primitive,   ///< another: semaphore, mutex, channel, event, scope, when_all, when_any, timeout, offload
  end,         ///< its destruction: it has come to its end
  unknown,     ///< another thread is just making the frame
};
inline constexpr std::size_t awaited_count = 9;

/// The enumerator's own name: "timer".
[[nodiscard]] std::string_view name_of(awaited what) noexcept;

/// Frames of the same coroutine that wait for the same, at the same place if that is known.
struct frame_group {
  const void* resume = nullptr;  ///< the function that goes on with the coroutine; nullptr if it is at its end
  awaited waiting_for = awaited::unknown;
  /// The suspend index: with the coroutine's await_table::place() it is a line. Nothing without a table, for coroutines
  /// that it does not have, and for those that are not suspended in their bodies or before: nothing, end, unknown.
  std::optional<std::uint32_t> suspend_index;
  std::size_t frame_bytes = 0;  ///< of one frame, the heap's rounding included
  std::size_t count = 0;

  [[nodiscard]] std::size_t total_bytes() const noexcept { return frame_bytes * count; }
  friend bool operator==(const frame_group&, const frame_group&) = default;
};

/// What was found in the memory that a shard has for frames.
struct walked_heap {
  std::size_t frames = 0;
  std::size_t frame_bytes = 0;  ///< of these
  std::size_t live_bytes = 0;  ///< of all that is handed out: frames, some freed ones kept for the next, buffers, slots
  std::size_t held_bytes = 0;  ///< what the shard has from the system
  std::size_t pauses = 0;      ///< portions in which it was looked through
  std::chrono::nanoseconds longest_pause{0};  ///< the longest of them
};

struct task_snapshot {
  std::vector<frame_group> groups;  ///< heaviest first
  std::vector<walked_heap> shards;  ///< by the shard's number
  /// Frames that threads made which run no shard, such as the first one of `runtime::run`. All runtimes of the process
  /// share this memory.
  walked_heap outside;
  /// Frames that are in no group, as there were more than 4,096 groups.
  std::size_t ungrouped = 0;

  [[nodiscard]] std::size_t frames() const noexcept;
  [[nodiscard]] std::size_t frame_bytes() const noexcept;
  /// The longest of all shards.
  [[nodiscard]] std::chrono::nanoseconds longest_pause() const noexcept;
};

/// Looks through the frames of all shards of the calling task's runtime. Ends when all shards have: one that is busy,
/// or shard 0 while nobody drives it, holds it up.
///
/// - A frame that is there from the beginning to the end is counted once, by the shard in whose memory it lies: that on
///   which its coroutine was called, even if its task has moved since. What it waits for may be of any moment in
///   between.
/// - A frame that comes or goes meanwhile is counted or not. The frames of the snapshot itself are among the counted.
/// - Of a task that runs on another shard than its memory belongs to, the frame is read while that thread may write it:
///   it may be told as waiting for what it has just waited for or is about to. Detached, and running just then, it may
///   be told as not started. A frame that a thread outside is about to make may be told as what was there before.
/// - Not seen: frames made by tasks of another runtime, also if they run on this one now.
///
/// Memory: what the groups take, 48 bytes for each kind of frame. Throws std::bad_alloc, `cancelled`.
[[nodiscard]] task<task_snapshot> snapshot(snapshot_options options = {});

}  // namespace tare
