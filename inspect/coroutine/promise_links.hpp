#pragma once

// The members of a promise that may lead to the awaiting coroutine. Internal to inspect/.
//
// Libraries store a std::coroutine_handle, which is the address of the awaiting frame (cppcoro, libcoro, folly), or a
// pointer to the awaiting promise (Boost.Asio). Only members of such types count: other words of a frame may also be
// addresses of frames, but mean something else.

#include "inspect/facts/coroutine.hpp"

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <vector>

namespace tare::inspect {

/// The links of a promise that begins at `promise_offset` in the frame; members with a telling name come first.
[[nodiscard]] std::vector<promise_link> find_promise_links(const llvm::DWARFDie& promise_type,
                                                           std::uint64_t promise_offset);

}  // namespace tare::inspect
