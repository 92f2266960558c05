#pragma once

#include "inspect/live/snapshot.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace tare::inspect {

/// A step on the paths from suspended frames up to the roots: their waiters, the waiters of these, and so on.
struct waiter {
  std::optional<std::uint32_t> site;  ///< index into the snapshot's sites; nullopt: no coroutine waits
  std::size_t level = 0;              ///< 0: waits for the frames of the site
  std::uint64_t count = 0;            ///< how many of those frames are awaited on this path
  std::uint64_t bytes = 0;            ///< of these frames
};

/// The waiters of the frames of a site, depth first, on each level the heaviest path first. Paths through the same
/// sites are combined. The parameters limit steps and levels.
[[nodiscard]] std::vector<waiter> waiters_for(const live_snapshot& snapshot, std::uint32_t site,
                                              std::size_t levels = 32, std::size_t steps = 256);

}  // namespace tare::inspect
