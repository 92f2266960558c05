#pragma once

// Which members of a promise may lead to whoever waits for the coroutine. Internal to inspect/.
//
// Libraries keep it as a std::coroutine_handle, which is the address of the waiting frame (cppcoro, libcoro, folly), or
// as a pointer to the waiting promise (Boost.Asio). Only members of such types count: other words of a frame that
// happen to be frames' addresses lead astray.

#include "inspect/facts/coroutine.hpp"

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <vector>

namespace tare::inspect {

/// Those of a promise that begins at `promise_offset` in the frame; those whose names say what they are come first.
[[nodiscard]] std::vector<promise_link> find_promise_links(const llvm::DWARFDie& promise_type,
                                                           std::uint64_t promise_offset);

}  // namespace tare::inspect
