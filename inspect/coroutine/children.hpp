#pragma once

// The coroutines that a coroutine awaits: those that are called on the line of an await. Internal to
// inspect/coroutine/.

#include "inspect/coroutine/awaits.hpp"

#include <span>
#include <string>
#include <vector>

namespace tare::inspect {

struct called_coroutine {
  std::string name;  ///< its linkage name
  source_line where;
};

/// The coroutines that are called in the code of the source, which must have been followed, or were inlined into it.
[[nodiscard]] std::vector<called_coroutine> find_called_coroutines(const unit_context& unit,
                                                                   const frame_source& source);

/// The awaits with the coroutines that are called on their lines.
[[nodiscard]] std::vector<found_await> with_children(std::vector<found_await> awaits,
                                                     std::span<const called_coroutine> calls);

}  // namespace tare::inspect
