#pragma once

// TARE_FRAME_BUDGET in the code of a file. Internal to inspect/coroutine/.

#include "inspect/coroutine/frame_source.hpp"
#include "inspect/coroutine/read.hpp"
#include "inspect/object/image.hpp"

#include <cstddef>
#include <set>
#include <span>
#include <vector>

namespace tare::inspect {

/// The marks of the file. Each consists of the distance to an address in the coroutine's code, a number of bytes, the
/// line and the file.
[[nodiscard]] std::vector<budget_mark> read_budget_marks(const image& file);

/// The numbers of the marks in the body of a coroutine that is declared there, in the order of the file.
[[nodiscard]] std::vector<std::size_t> find_budgets(const unit_context& unit, const frame_source& source,
                                                    const source_line& declared);

/// The number of a mark, and that of its coroutine.
struct budget_by_symbol {
  std::size_t mark = 0;
  std::size_t of = 0;
};

/// The marks of coroutines whose code the debug information does not describe, found by their symbols.
[[nodiscard]] std::vector<budget_by_symbol> find_budgets_by_symbols(const image& file,
                                                                    std::span<const budget_mark> marks,
                                                                    std::span<const coroutine> coroutines);

/// The marks that apply to no coroutine; `in_use`: the numbers of those that do. Code may exist several times, in the
/// coroutine and where it was inlined: it is enough if one copy is in use.
[[nodiscard]] std::vector<idle_budget> find_idle_budgets(image& file, std::span<const budget_mark> marks,
                                                         const std::set<std::size_t>& in_use);

}  // namespace tare::inspect
