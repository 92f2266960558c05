#pragma once

// A coroutine as a unit of debug information describes it, before anything is concluded from it. Internal to inspect/.

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
  std::shared_ptr<function_flow> flow;  ///< shared where two coroutines have one function
  value frame;                          ///< the frame's address, as the flow names it
  bool frame_known = false;
};

struct frame_source {
  std::string linkage_name;
  producer made_by = producer::clang;
  llvm::DWARFDie type;  ///< of the frame; not valid where the compiler did not describe it
  std::vector<frame_function> functions;
  bool optimized = true;  ///< false: by the options that the compiler wrote down it was not
};

/// TARE_FRAME_BUDGET in the code.
struct budget_mark {
  std::uint64_t address = 0;  ///< in the coroutine's code, or in code that it was inlined into
  std::uint64_t bytes = 0;
  std::uint32_t line = 0;
  std::uint32_t file = 0;  ///< abi::file_mark
  bool holds = false;      ///< its coroutine was found
};

/// What looking at one unit needs.
struct unit_context {
  image& file;
  llvm::DWARFUnit& unit;  ///< the one that has the entries: of split debug information the .dwo's
  const line_rows& lines;
  const disassembler& decoder;
  const landing_pads& pads;
  std::span<budget_mark> budgets;
  const compiler_records& told;  ///< what the compiler wrote down about the file's coroutines
  bool liveness = true;
  bool code = true;
};

/// Those that a unit has code for.
[[nodiscard]] std::vector<frame_source> find_frame_sources(unit_context& unit);

/// The name of the coroutine that a function is a part of; empty for other functions.
[[nodiscard]] std::string_view coroutine_of(const llvm::DWARFDie& function);

/// Everything that can be said about one of them.
[[nodiscard]] coroutine analyze(unit_context& unit, frame_source& source);

/// rustc's async functions: these need no machine code.
[[nodiscard]] std::vector<coroutine> find_rust_coroutines(unit_context& unit);

/// The type that rustc makes for an async function, block or closure: "{async_fn_env#0}<T>".
[[nodiscard]] bool is_async_environment(std::string_view name);

/// The table that makes a type of Rust a `dyn Future`.
struct rust_vtable {
  std::uint64_t address = 0;
  std::string type;         ///< where it is an async function's, the coroutine's linkage name
  std::uint64_t bytes = 0;  ///< of the type
};

/// Those that a unit has.
[[nodiscard]] std::vector<rust_vtable> find_rust_vtables(unit_context& unit);

}  // namespace tare::inspect
