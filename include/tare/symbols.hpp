#pragma once

// Names for addresses of code in this process: function, file, line. A library of its own (link tare::symbols), since
// it reads symbols and debug information with elfutils' libdw; nothing else of tare needs either.
//
//   tare::task_snapshot seen = co_await tare::snapshot();
//   std::vector<const void*> addresses;
//   for (const tare::frame_group& each : seen.groups) addresses.push_back(each.resume);
//   auto name = [&] { return tare::name_code(addresses); };
//   tare::code_names named = co_await tare::offload(name);
//
// Bytes: what it reads is given back when it returns. Time: some milliseconds, for a large program a second, so keep
// the names: an address means the same for as long as its library is loaded.
//
// Where a binary has a table of its awaits (<tare/await_table.hpp>), that names its coroutines with less effort, and
// without debug information: `read_awaits()`.

#include <tare/await_table.hpp>

#include <span>
#include <string>
#include <vector>

namespace tare {

/// What is not known is empty, and line 0.
struct code_name {
  std::string function;  ///< readable: "serve(int)". Of a coroutine it is the name in the source, without `.resume`
  std::string file;      ///< where the function is declared, as the debug information puts it
  unsigned line = 0;
  std::string module;  ///< the program or the shared library that the address is in; empty: it is no code

  friend bool operator==(const code_name&, const code_name&) = default;
};

struct code_names {
  std::vector<code_name> names;    ///< in the order of the addresses
  std::vector<std::string> notes;  ///< why something is not known, a line for each module: that it is stripped, for one
};

/// Reads files, so a shard should leave it to `offload`. Debug information that was split off is found by its build id
/// or beside its file, and asked of a debuginfod server if the environment names one. Any thread, one at a time. Throws
/// std::bad_alloc.
[[nodiscard]] code_names name_code(std::span<const void* const> addresses);

struct program_awaits {
  await_table table;
  std::vector<std::string> notes;  ///< why awaits are not known, a line each: that the program has no table, for one
};

/// Reads the tables of the program and of the libraries that are loaded at this time. Reads files, so a shard should
/// leave it to `offload`: a fraction of a millisecond for each library. Any thread. Throws std::bad_alloc.
[[nodiscard]] program_awaits read_awaits();

}  // namespace tare
