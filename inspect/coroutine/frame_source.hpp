#pragma once

// A coroutine as a unit of debug information describes it, before it is analyzed. Internal to inspect/.

#include "inspect/coroutine/compiler_record.hpp"
#include "inspect/coroutine/part_symbol.hpp"
#include "inspect/dwarf/line_rows.hpp"
#include "inspect/facts/coroutine.hpp"
#include "inspect/machine/function_flow.hpp"

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tare::inspect {

/// One of the functions that a coroutine was split into.
struct frame_function {
  function_role role = function_role::ramp;
  llvm::DWARFDie die;
  std::vector<code_range> ranges;
  std::shared_ptr<function_flow> flow;  ///< shared if two coroutines have the same function
  value frame;                          ///< the frame's address in terms of the flow
  bool frame_known = false;
};

struct frame_source {
  std::string linkage_name;
  producer made_by = producer::clang;
  llvm::DWARFDie type;  ///< of the frame; not valid if the compiler did not describe it
  std::vector<frame_function> functions;
  bool optimized = true;  ///< false: not optimized, according to the compiler's recorded options
};

/// TARE_FRAME_BUDGET in the code.
struct budget_mark {
  std::uint64_t address = 0;  ///< in the coroutine's code, or in code that it was inlined into
  std::uint64_t bytes = 0;
  std::uint32_t line = 0;
  std::uint32_t file = 0;  ///< abi::file_mark
  bool holds = false;      ///< whether its coroutine was found
};

/// What the analysis of one unit needs.
struct unit_context {
  image& file;
  llvm::DWARFUnit& unit;  ///< the unit with the entries: for split debug information, that of the .dwo file
  const line_rows& lines;
  const disassembler& decoder;
  const landing_pads& pads;
  std::span<budget_mark> budgets;
  const compiler_records& records;  ///< what the compiler recorded about the coroutines of the file
  bool liveness = true;
  bool code = true;
};

/// The coroutines for which the unit has code.
[[nodiscard]] std::vector<frame_source> find_frame_sources(unit_context& unit);

/// The name of the coroutine that a function is a part of; empty for other functions.
[[nodiscard]] std::string_view coroutine_of(const llvm::DWARFDie& function);

/// Everything that is known about one of them.
[[nodiscard]] coroutine analyze(unit_context& unit, frame_source& source);

/// The async functions of rustc. They need no machine code.
[[nodiscard]] std::vector<coroutine> find_rust_coroutines(unit_context& unit);

/// Whether it is the type that rustc creates for an async function, block or closure: "{async_fn_env#0}<T>".
[[nodiscard]] bool is_async_environment(std::string_view name);

/// The vtable of a Rust type as a `dyn Future`.
struct rust_vtable {
  std::uint64_t address = 0;
  std::string type;         ///< for an async function, the coroutine's linkage name
  std::uint64_t bytes = 0;  ///< of the type
};

/// The vtables in a unit.
[[nodiscard]] std::vector<rust_vtable> find_rust_vtables(unit_context& unit);

}  // namespace tare::inspect
