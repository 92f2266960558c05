#pragma once

// The coroutines of a binary.
//
//   auto read = tare::inspect::read_coroutines("build/server");
//   for (const auto& one : read->coroutines) fmt::print("{} {}\n", one.name, one.frame_bytes.value_or(0));
//
// Reads programs, shared libraries, object files and archives made by clang, g++ and rustc for x86-64, with DWARF 4 or
// 5. A file of 200 MB takes about as long as a linker takes to write it; memory stays far below the file's size, since
// only the units that have coroutines are parsed and each is dropped after use.

#include "base/error.hpp"
#include "inspect/coroutine/future_vtable.hpp"
#include "inspect/facts/coroutine.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace tare::inspect {

struct read_options {
  std::vector<std::filesystem::path> debug_folders;  ///< searched for separate debug files, before /usr/lib/debug
  bool liveness = true;                              ///< false: sizes, fields and awaits only
  bool code = true;  ///< false: the code of described frames is not read: sizes and fields, but no awaits
  std::vector<std::uint64_t> only = {};  ///< only coroutines with one of these resume addresses
  bool rust = true;                      ///< false: only C++; files without coroutines are then skipped quickly
  /// If the file has no debug information, use its await table instead.
  bool await_tables = false;
  /// Also read Rust's vtables of `dyn Future`. Futures that are not async functions become coroutines without awaits.
  bool future_vtables = false;
};

/// A TARE_FRAME_BUDGET that applies to no coroutine of the file.
struct idle_budget {
  source_line where;     ///< without a file: its code has no debug information
  std::string function;  ///< the function that contains this code, readable; empty if not known
  std::uint64_t bytes = 0;
  friend bool operator==(const idle_budget&, const idle_budget&) = default;
};

struct coroutine_report {
  std::vector<coroutine> coroutines;  ///< in no particular order
  std::uint64_t functions = 0;        ///< the number of functions that were examined
  bool stripped = false;              ///< a file has neither symbols nor debug information
  std::string build_id;               ///< empty if the file has none or is an archive
  std::vector<std::uint64_t> arenas;  ///< addresses of <tare/abi/arena.hpp>'s structure in a linked file
  std::vector<future_vtable> vtables;
  /// Budgets whose coroutine was merged into its caller or optimized away, so that it has no frame. Empty if only some
  /// coroutines were requested.
  std::vector<idle_budget> idle_budgets;
  std::vector<std::string> notes;  ///< what could not be read; one line each, without duplicates
};

/// The error is one line: not an ELF file, truncated, unreadable, for another machine. Missing debug information is not
/// an error: coroutines are then known only by their symbols and by the sizes that their code requests, and a note says
/// how to build.
[[nodiscard]] base::result<coroutine_report> read_coroutines(const std::filesystem::path& binary,
                                                             const read_options& options = {});

/// The same for a file in memory. `name` is used in messages and to find files beside it.
[[nodiscard]] base::result<coroutine_report> read_coroutines(const std::string& name,
                                                             std::span<const std::uint8_t> content,
                                                             const read_options& options = {});

}  // namespace tare::inspect
