#pragma once

// The parent of a task that something other than an await or a scope waits for: when_all, when_any, timeout, a visit
// to another shard. Lies in the arena, in the frame of whoever waits.

#include <tare/detail/wait_state.hpp>

#include <exception>

namespace tare::detail {

struct branch {
  /// Called on the branch's shard when the task's frame is gone; `error` is what it threw, if it did.
  void (*ended)(branch& self, std::exception_ptr error) noexcept = nullptr;
  void* result = nullptr;  ///< where the task's result is constructed; nullptr if nobody wants it
  link child = no_link;    ///< the task, or its stand-in, until it has ended
};

}  // namespace tare::detail
