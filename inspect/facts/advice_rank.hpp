#pragma once

// Ranks advice by its value: the bytes of one frame mean little without the number of frames.

#include "inspect/facts/advice.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tare::inspect {

/// The number of suspended frames per function, by readable name.
using frame_counts = std::map<std::string, std::uint64_t>;

struct ranked_advice {
  const coroutine* of = nullptr;
  advice what;
  std::optional<std::uint64_t> frames;  ///< the number of frames, if they were counted

  /// The bytes saved over all frames; over one frame if they were not counted.
  [[nodiscard]] std::uint64_t all_bytes() const noexcept { return what.bytes * frames.value_or(1); }
};

/// Advice that saves most over all frames comes first. Without counts, it is ranked by one frame, but coroutines that
/// exist once per process come last: lambdas in main(), coroutines that drive a whole program, and those that only such
/// coroutines await.
[[nodiscard]] std::vector<ranked_advice> rank_advice(std::span<const coroutine> all, const frame_counts* counts);

}  // namespace tare::inspect
