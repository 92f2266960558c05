#pragma once

// The parent of a task that neither an await nor a scope waits for: when_all, when_any, timeout, a visit to another
// shard. Lives in the arena, in the frame of the waiting task.

#include <tare/detail/wait_state.hpp>

#include <exception>

namespace tare::detail {

struct branch {
  /// Called on the branch's shard after the task's frame has been destroyed; `error` is the task's exception, if any.
  void (*ended)(branch& self, std::exception_ptr error) noexcept = nullptr;
  void* result = nullptr;  ///< where the task's result is constructed; nullptr to drop it
  link child = no_link;    ///< the task, or its stand-in, until it has ended
};

}  // namespace tare::detail
