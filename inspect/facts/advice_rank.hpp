#pragma once

// Which advice is worth most: bytes of one frame say little without how many of them there are.

#include "inspect/facts/advice.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tare::inspect {

/// How many frames of each function are suspended, by its readable name.
using frame_counts = std::map<std::string, std::uint64_t>;

struct ranked_advice {
  const coroutine* of = nullptr;
  advice what;
  std::optional<std::uint64_t> frames;  ///< that were counted

  /// Over all frames; of one where they were not counted.
  [[nodiscard]] std::uint64_t all_bytes() const noexcept { return what.bytes * frames.value_or(1); }
};

/// What saves most over all frames comes first. Without counts, what saves most in one frame does, but coroutines that
/// exist once per process come last: those that main() has written down as lambdas, those that drive a whole program,
/// and those that only such coroutines await.
[[nodiscard]] std::vector<ranked_advice> rank_advice(std::span<const coroutine> all, const frame_counts* counts);

}  // namespace tare::inspect
