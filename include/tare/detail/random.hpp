#pragma once

// Random choices that nothing secret depends on: which arm of a select is tried first, which shards are compared, how
// long a retry pauses.

#include <cstddef>

namespace tare::detail {

/// From 0 to `count` - 1; `count` is from 1 to 2^32. Each thread has its own sequence, which begins at random, so that
/// many processes that start at the same moment do not make the same choices. A child process after `fork` continues
/// the sequence of its parent.
[[nodiscard]] std::size_t random_below(std::size_t count) noexcept;

}  // namespace tare::detail
