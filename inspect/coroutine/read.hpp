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
  bool code = true;  ///< false: no code is read of frames that are described: sizes and fields, but no awaits
  std::vector<std::uint64_t> only = {};  ///< only coroutines that are resumed at one of these addresses
  bool rust = true;                      ///< false: only C++; then files without them are soon done with
  /// Where there is no debug information, take what an await table in the file says in its place.
  bool await_tables = false;
  /// Also Rust's vtables of `dyn Future`. Futures that are no async functions are then coroutines without awaits.
  bool future_vtables = false;
};

/// A TARE_FRAME_BUDGET that holds for no coroutine of the file.
struct idle_budget {
  source_line where;     ///< without a file: no debug information tells of the code that it is in
  std::string function;  ///< the one that has this code now, readable; empty where that is not known
  std::uint64_t bytes = 0;
  friend bool operator==(const idle_budget&, const idle_budget&) = default;
};

struct coroutine_report {
  std::vector<coroutine> coroutines;  ///< in no particular order
  std::uint64_t functions = 0;        ///< how many functions there were to look at
  bool stripped = false;              ///< a file has neither symbols nor debug information: nothing can be said of it
  std::string build_id;               ///< of a file that has one; of an archive nobody's
  std::vector<std::uint64_t> arenas;  ///< addresses of <tare/abi/arena.hpp>'s structure in a linked file
  std::vector<future_vtable> vtables;
  /// Those whose coroutine was merged into its caller or optimized away, so that it has no frame; unless only some
  /// coroutines were asked for.
  std::vector<idle_budget> idle_budgets;
  std::vector<std::string> notes;  ///< what could not be read, each once; one line each
};

/// The error is one line: not an ELF file, truncated, unreadable, for another machine. No debug information is no
/// error: coroutines are then known by their symbols alone, their sizes where the code tells them, and a note says how
/// to build.
[[nodiscard]] base::result<coroutine_report> read_coroutines(const std::filesystem::path& binary,
                                                             const read_options& options = {});

/// The same of a file that is in memory; `name` is for messages and for finding what stands beside it.
[[nodiscard]] base::result<coroutine_report> read_coroutines(const std::string& name,
                                                             std::span<const std::uint8_t> content,
                                                             const read_options& options = {});

}  // namespace tare::inspect
