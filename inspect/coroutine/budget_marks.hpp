#pragma once

// TARE_FRAME_BUDGET in the code of a file. Internal to inspect/coroutine/.

#include "inspect/coroutine/frame_source.hpp"
#include "inspect/coroutine/read.hpp"
#include "inspect/object/image.hpp"

#include <span>
#include <vector>

namespace tare::inspect {

/// The marks of the file. Each consists of the distance to an address in the coroutine's code, a number of bytes, the
/// line and the file.
[[nodiscard]] std::vector<budget_mark> read_budget_marks(const image& file);

/// Assigns marks by symbols to coroutines whose code the debug information does not describe.
void add_budgets_by_symbols(const image& file, std::span<budget_mark> marks, std::span<coroutine> coroutines);

/// Adds the marks that apply to no coroutine. Code may exist several times, in the coroutine and where it was inlined:
/// it is enough if one copy is found.
void add_idle_budgets(image& file, std::span<const budget_mark> marks, std::vector<idle_budget>& idle);

}  // namespace tare::inspect
