#pragma once

// Gives awaits their lines. Internal to inspect/.
//
// Labels in the debug information say them, but an optimizer loses most of these. Then it is the line of the
// instruction that stores the await's number. Where the code of several awaits was merged, no instruction has the line
// of one of them: the source helps, if it is at hand, since its awaits have been numbered in their order. Without it
// the lines of the calls and the line table that lie between the known ones are taken if there are as many as are
// wanted.

#include "inspect/coroutine/awaits.hpp"

#include <map>

namespace tare::inspect {

using awaits_by_index = std::map<std::uint64_t, found_await>;
using labels_by_index = std::map<std::uint64_t, source_line>;

/// `labels`: where the compiler said itself that the awaits are. Each await must have its kind.
void place_awaits(unit_context& unit, const frame_source& source, const coroutine& of, const labels_by_index& labels,
                  awaits_by_index& awaits);

}  // namespace tare::inspect
