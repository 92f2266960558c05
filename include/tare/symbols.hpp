#pragma once

// Names for addresses of code in this process: function, file, line. A separate library (link tare::symbols), because
// it reads symbols and debug information with elfutils' libdw, which the rest of tare does not need.
//
//   tare::task_snapshot seen = co_await tare::snapshot();
//   std::vector<const void*> addresses;
//   for (const tare::frame_group& each : seen.groups) addresses.push_back(each.resume);
//   auto name = [&] { return tare::name_code(addresses); };
//   tare::code_names named = co_await tare::offload(name);
//
// **Bytes** Memory used for reading is freed before it returns. Time: a few milliseconds, for a large program a second,
// so cache the names: an address keeps its meaning for as long as its library is loaded.
//
// If a binary has an await table (<tare/await_table.hpp>), `read_awaits()` names its coroutines faster and without
// debug information.

#include <tare/await_table.hpp>

#include <span>
#include <string>
#include <vector>

namespace tare {

/// Unknown parts are empty, and the line is 0.
struct code_name {
  std::string function;  ///< demangled: "serve(int)"; for a coroutine the name in the source, without `.resume`
  std::string file;      ///< where the function is declared, according to the debug information
  unsigned line = 0;
  std::string module;  ///< the program or shared library that contains the address; empty: not a code address

  friend bool operator==(const code_name&, const code_name&) = default;
};

struct code_names {
  std::vector<code_name> names;    ///< in the order of the addresses
  std::vector<std::string> notes;  ///< why something is unknown, one line per module, for example that it is stripped
};

/// Reads files, so call it through `offload`. Split debug information is found by build id, next to the file, or
/// through a debuginfod server if the environment names one.
///
/// **Errors** `code_names::notes`. Throws std::bad_alloc. **Cancellation** Does not wait in a task. **Threads** Any,
/// but one at a time.
[[nodiscard]] code_names name_code(std::span<const void* const> addresses);

struct program_awaits {
  await_table table;
  std::vector<std::string> notes;  ///< why awaits are unknown, one line each, for example that the program has no table
};

/// Reads the tables of the program and of all libraries currently loaded. Reads files, so call it through `offload`: a
/// fraction of a millisecond per library.
///
/// **Errors** `program_awaits::notes`. Throws std::bad_alloc. **Cancellation** Does not wait in a task. **Threads**
/// Any.
[[nodiscard]] program_awaits read_awaits();

}  // namespace tare
