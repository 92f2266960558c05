#pragma once

// The suspended coroutines of a process at one moment, grouped by suspension point and by waiter. Plain values, which
// can be saved, compared and shown.

#include "inspect/facts/coroutine.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace tare::inspect {

/// The frames at one suspension point.
struct live_site {
  std::string function;  ///< readable: "serve(tcp::socket)"
  source_line where;     ///< of the await; of the coroutine if that is not known
  suspension kind = suspension::await;
  std::string image;    ///< the file that the code is in
  bool merged = false;  ///< frames that are parts of their callers' frames, which count their bytes
  /// Frames under construction, or whose coroutine has begun but has not been suspended yet: there is no await to name.
  bool half_built = false;

  std::uint64_t frame_bytes = 0;  ///< per frame, with the allocator's rounding if known; 0: not known
  std::uint64_t count = 0;
  std::uint64_t total_bytes = 0;
  /// How many of them may have been freed, because they are in memory of an unknown allocator.
  std::uint64_t uncertain = 0;

  friend bool operator==(const live_site&, const live_site&) = default;
};

/// A node of the tree of which frame waits for which: the frames at one suspension point on the same path from a root.
struct stack_node {
  static constexpr std::uint32_t no_parent = std::numeric_limits<std::uint32_t>::max();

  std::uint32_t site = 0;              ///< index into the snapshot's sites
  std::uint32_t parent = no_parent;    ///< index of a preceding node
  std::uint64_t count = 0;             ///< frames
  std::uint64_t bytes = 0;             ///< of these frames
  std::uint64_t bytes_with_below = 0;  ///< of these frames and all below

  friend bool operator==(const stack_node&, const stack_node&) = default;
};

/// What the memory of a process is used for. Only resident memory counts.
struct memory_parts {
  std::uint64_t frames = 0;
  std::uint64_t arena_free = 0;   ///< in this library's arena: free for frames
  std::uint64_t runtime = 0;      ///< in this library's arena: bookkeeping
  std::uint64_t malloc_used = 0;  ///< without frames, but with malloc's caches
  std::uint64_t malloc_free = 0;
  std::uint64_t stacks = 0;
  std::uint64_t binaries = 0;  ///< code and variables of the program and its libraries, and files that are mapped
  std::uint64_t rest = 0;      ///< other allocators, shared memory, and heaps that could not be walked

  [[nodiscard]] std::uint64_t sum() const noexcept {
    return frames + arena_free + runtime + malloc_used + malloc_free + stacks + binaries + rest;
  }
  friend bool operator==(const memory_parts&, const memory_parts&) = default;
};

struct live_snapshot {
  std::int64_t pid = 0;  ///< for a core file, that of the process that wrote it
  std::string command;   ///< the executable
  std::uint64_t rss_bytes = 0;
  memory_parts memory;            ///< they add up to `rss_bytes`; all 0 if that is not known
  std::uint64_t frame_bytes = 0;  ///< of all frames
  std::uint64_t frames = 0;
  std::uint64_t uncertain = 0;    ///< the sum over the sites
  std::uint64_t not_started = 0;  ///< frames that are suspended before their bodies
  std::uint64_t half_built = 0;   ///< frames that have not been suspended yet
  std::uint64_t freed = 0;        ///< not counted: remains of frames in freed memory
  std::uint64_t left_out = 0;     ///< not counted: what looks like frames inside other objects, left over or in a pool
  std::uint64_t scanned_bytes = 0;  ///< how much memory was scanned
  double seconds = 0;               ///< how long the scan took
  double paused_seconds = 0;        ///< how long the process was stopped
  std::vector<live_site> sites;     ///< heaviest first
  std::vector<stack_node> stacks;
  std::vector<std::string> notes;  ///< what could not be read or is not shown; one line each

  friend bool operator==(const live_snapshot&, const live_snapshot&) = default;
};

}  // namespace tare::inspect
