#pragma once

#include "inspect/live/snapshot.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace tare::inspect {

/// A step on the ways from suspended frames up to the roots: who waits for them, who waits for these, and so on.
struct waiter {
  std::optional<std::uint32_t> site;  ///< index into the snapshot's sites; nothing: no coroutine waits
  std::size_t level = 0;              ///< 0: waits for the frames that were asked about
  std::uint64_t count = 0;            ///< how many of those frames are waited for on this way
  std::uint64_t bytes = 0;            ///< theirs
};

/// Who waits for the frames of a site. Depth first, on each level the heaviest way first; ways through the same places
/// are taken together. At most so many steps of so many levels.
[[nodiscard]] std::vector<waiter> waiters_for(const live_snapshot& of, std::uint32_t site, std::size_t levels = 32,
                                              std::size_t steps = 256);

}  // namespace tare::inspect
