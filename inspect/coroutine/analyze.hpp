#pragma once

// Everything that is known about a coroutine, from its debug information, its machine code and what the compiler
// recorded. Internal to inspect/.

#include "inspect/coroutine/frame_source.hpp"

#include <cstddef>
#include <vector>

namespace tare::inspect {

struct analysis {
  coroutine what;
  std::vector<std::size_t> marks;  ///< the numbers of the file's budget marks that are in its body
  bool is_oversized = false;       ///< its frame is described as larger than what its code requests
};

[[nodiscard]] analysis analyze(const unit_context& unit, const frame_source& source);

}  // namespace tare::inspect
