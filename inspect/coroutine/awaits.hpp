#pragma once

// The places where a coroutine can be suspended. Internal to inspect/.
//
// Before it suspends, a coroutine stores a number into its frame that says where to go on: one for each place.

#include "inspect/coroutine/compiler_record.hpp"
#include "inspect/coroutine/frame_source.hpp"

namespace tare::inspect {

/// Where in the code a suspension begins.
struct suspend_site {
  const frame_function* function = nullptr;
  std::uint64_t address = 0;  ///< of the instruction that has the number as a literal
  std::uint64_t store = 0;    ///< of the one that stores it; others may share it
  bool alone = true;          ///< whether only this number is stored there
};

struct found_await {
  await_point point;
  std::vector<suspend_site> sites;
};

/// By index. The functions' flows must be there. What the compiler told of them, if it did, is certain.
[[nodiscard]] std::vector<found_await> find_awaits(unit_context& unit, const frame_source& source, const coroutine& of,
                                                   const compiler_record* told);

}  // namespace tare::inspect
