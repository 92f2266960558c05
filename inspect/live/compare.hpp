#pragma once

// What changed between two snapshots: of one process at two times, or of two processes.

#include "inspect/live/snapshot.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace tare::inspect {

/// A place where frames are suspended, in both snapshots.
struct changed_site {
  std::string function;
  source_line where;              ///< in the later snapshot; in the earlier one if it no longer exists
  std::uint32_t line_before = 0;  ///< differs from that of `where` if its line has moved; 0 if it is new
  suspension kind = suspension::await;

  std::uint64_t count_before = 0;  ///< 0: it is new
  std::uint64_t count_after = 0;   ///< 0: it no longer exists
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;

  [[nodiscard]] std::int64_t count_difference() const noexcept {
    return static_cast<std::int64_t>(count_after - count_before);
  }
  [[nodiscard]] std::int64_t bytes_difference() const noexcept {
    return static_cast<std::int64_t>(bytes_after - bytes_before);
  }
};

struct snapshot_change {
  std::vector<changed_site> sites;  ///< all, the largest growth in bytes first, the largest shrinking last
  std::int64_t frames_difference = 0;
  std::int64_t frame_bytes_difference = 0;
  std::int64_t rss_difference = 0;
};

/// Sites are the same if function, file, kind and line agree. Between two processes, whose builds may differ, lines may
/// have moved: then the sites of a function without equal lines are matched in order, if both snapshots have the same
/// number of them, and if no later line in the file shows that they did not move.
[[nodiscard]] snapshot_change compare(const live_snapshot& before, const live_snapshot& after);

}  // namespace tare::inspect
