#pragma once

// What a process's suspended coroutines were at one moment: grouped by where they are suspended, and by who waits for
// whom. Plain values: they can be kept in a file, compared, shown.

#include "inspect/facts/coroutine.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace tare::inspect {

/// The frames that are suspended at one place.
struct live_site {
  std::string function;  ///< readable: "serve(tcp::socket)"
  source_line where;     ///< of the await; of the coroutine where that is not known
  suspension kind = suspension::await;
  std::string image;    ///< the file that the code is in
  bool merged = false;  ///< frames that are part of their callers' frames, where their bytes are counted
  /// Frames that are just being made, or whose coroutine has begun and was not suspended yet: there is no await to
  /// name.
  bool half_built = false;

  std::uint64_t frame_bytes = 0;  ///< of one, the allocator's rounding included where it is known; 0: not known
  std::uint64_t count = 0;
  std::uint64_t total_bytes = 0;
  /// So many of them may have been freed: they lie in memory of an allocator that is not known here.
  std::uint64_t uncertain = 0;

  friend bool operator==(const live_site&, const live_site&) = default;
};

/// Frames that are suspended at one place and wait, through the same places, for the same root. A tree: the root comes
/// first, what it waits for below it.
struct stack_node {
  static constexpr std::uint32_t no_parent = std::numeric_limits<std::uint32_t>::max();

  std::uint32_t site = 0;              ///< index into the snapshot's sites
  std::uint32_t parent = no_parent;    ///< index of a node further to the front
  std::uint64_t count = 0;             ///< frames
  std::uint64_t bytes = 0;             ///< of these frames
  std::uint64_t bytes_with_below = 0;  ///< and of all below

  friend bool operator==(const stack_node&, const stack_node&) = default;
};

/// What all of a process's memory is for. Of frames and objects only what is in memory counts.
struct memory_parts {
  std::uint64_t frames = 0;
  std::uint64_t arena_free = 0;   ///< of this library's arena: what frames may have again
  std::uint64_t runtime = 0;      ///< and what it keeps beside them
  std::uint64_t malloc_used = 0;  ///< beside frames; also what malloc keeps for the next that asks
  std::uint64_t malloc_free = 0;
  std::uint64_t stacks = 0;
  std::uint64_t binaries = 0;  ///< code and variables of the program and its libraries, and files that are mapped
  std::uint64_t rest = 0;      ///< other allocators, shared memory, and heaps that could not be followed

  [[nodiscard]] std::uint64_t sum() const noexcept {
    return frames + arena_free + runtime + malloc_used + malloc_free + stacks + binaries + rest;
  }
  friend bool operator==(const memory_parts&, const memory_parts&) = default;
};

struct live_snapshot {
  std::int64_t pid = 0;  ///< of a core file the process's that it is of
  std::string command;   ///< the executable
  std::uint64_t rss_bytes = 0;
  memory_parts memory;            ///< add up to `rss_bytes`; all 0 where that is not known
  std::uint64_t frame_bytes = 0;  ///< of all frames
  std::uint64_t frames = 0;
  std::uint64_t uncertain = 0;      ///< the sum of the sites'
  std::uint64_t not_started = 0;    ///< of the frames: those that are suspended before their bodies
  std::uint64_t half_built = 0;     ///< and those that were not suspended yet
  std::uint64_t freed = 0;          ///< beside the frames: what is left of others, in memory that was freed
  std::uint64_t left_out = 0;       ///< and what looks like frames inside of other objects: left over, or of a pool
  std::uint64_t scanned_bytes = 0;  ///< how much memory was looked through
  double seconds = 0;               ///< how long looking through the memory took
  double paused_seconds = 0;        ///< for how long the process was stopped
  std::vector<live_site> sites;     ///< heaviest first
  std::vector<stack_node> stacks;
  std::vector<std::string> notes;  ///< what could not be read or is not seen; one line each

  friend bool operator==(const live_snapshot&, const live_snapshot&) = default;
};

}  // namespace tare::inspect
