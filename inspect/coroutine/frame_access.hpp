#pragma once

// The accesses of a coroutine's functions to its frame. Internal to inspect/coroutine/.

#include "inspect/coroutine/frame_source.hpp"

#include <cstddef>
#include <cstdint>

namespace tare::inspect {

/// Visits each access to memory: visit(index of the instruction, access).
template <class F>
void for_each_access(const frame_function& function, F&& visit) {
  for (std::size_t i = 0; i < function.flow->instructions().size(); ++i) {
    for (const auto& access : function.flow->accesses(i)) visit(i, access);
  }
}

/// Visits each access to the frame: visit(index of the instruction, access, offset in the frame).
template <class F>
void for_each_frame_access(const frame_function& function, F&& visit) {
  for_each_access(function, [&](std::size_t i, const memory_access& access) {
    if (access.base == function.frame.base) visit(i, access, access.offset - function.frame.offset);
  });
}

/// Whether it is known what the function does to the frame.
[[nodiscard]] inline bool is_followed(const frame_function& function) {
  return function.frame_known && function.flow && !function.flow->empty() && !function.flow->gave_up();
}

}  // namespace tare::inspect
