#pragma once

// The places where a coroutine can be suspended. Internal to inspect/.
//
// Before it suspends, a coroutine stores a number into its frame that says where to go on. The instruction that has
// this number as a literal belongs to the await's line. Labels in the debug information say the same, but an optimizer
// loses most of them. Where it has merged the code of several awaits, no instruction has the line of one of them: then
// the source helps, if it is at hand, since its awaits have been numbered in their order. Without it the lines of the
// calls and the line table that lie between the known ones are taken if there are as many as are wanted.

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

/// The line of the coroutine itself that an instruction belongs to, through the calls that were inlined there.
[[nodiscard]] source_line line_of(const unit_context& unit, const frame_function& function, std::uint64_t address);

}  // namespace tare::inspect
