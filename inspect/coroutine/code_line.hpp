#pragma once

// Which line of a coroutine an instruction belongs to. Internal to inspect/.

#include "inspect/coroutine/frame_source.hpp"

namespace tare::inspect {

/// The call that was inlined at an address, and its place in the source.
struct inlined_call {
  llvm::DWARFDie die;
  std::uint32_t file = 0;
  std::uint32_t line = 0;
};

/// The call that was inlined directly into the function there; not valid if there is none. If g++ inlined the actor
/// into the function that is called through the frame, calls in the actor are returned.
[[nodiscard]] inlined_call call_at(const llvm::DWARFDie& function, std::uint64_t address);

[[nodiscard]] bool is_gcc_actor(const llvm::DWARFDie& function);

/// The line of the coroutine itself that an instruction belongs to, through the calls that were inlined there.
[[nodiscard]] source_line line_of(const unit_context& unit, const frame_function& function, std::uint64_t address);

}  // namespace tare::inspect
