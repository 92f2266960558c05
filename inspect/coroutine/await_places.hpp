#pragma once

// Finds the lines of awaits. Internal to inspect/.
//
// Labels in the debug information have them, but an optimizer drops most labels. Then the line is that of the
// instruction that stores the await's number. If the code of several awaits was merged, no instruction has the line of
// one of them. The source helps if it is available, because awaits are numbered in its order. Otherwise, lines of calls
// or of the line table between the known lines are used if there are exactly as many as awaits without a line.

#include "inspect/coroutine/awaits.hpp"

#include <map>

namespace tare::inspect {

using awaits_by_index = std::map<std::uint64_t, found_await>;
using labels_by_index = std::map<std::uint64_t, source_line>;

/// The awaits with their lines. `labels`: the lines that the compiler recorded. The kinds of the awaits must have been
/// set.
[[nodiscard]] awaits_by_index with_places(awaits_by_index awaits, const unit_context& unit, const frame_source& source,
                                          const coroutine& coroutine, const labels_by_index& labels);

}  // namespace tare::inspect
