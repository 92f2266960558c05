#pragma once

// TARE_FRAME_BUDGET in the code of a file. Internal to inspect/coroutine/.

#include "inspect/coroutine/frame_source.hpp"
#include "inspect/coroutine/read.hpp"
#include "inspect/object/image.hpp"

#include <span>
#include <vector>

namespace tare::inspect {

/// Those of the file: each is the distance to a place in the coroutine's code, a number of bytes, the line and the
/// file.
[[nodiscard]] std::vector<budget_mark> read_budget_marks(const image& file);

/// For coroutines of which the debug information does not say which code is theirs, the symbols do.
void add_budgets_by_symbols(const image& file, std::span<budget_mark> marks, std::span<coroutine> coroutines);

/// Adds those that hold for no coroutine. Code may be there several times, in the coroutine and where it was inlined:
/// once is enough for its budget to hold.
void add_idle_budgets(image& file, std::span<const budget_mark> marks, std::vector<idle_budget>& idle);

}  // namespace tare::inspect
