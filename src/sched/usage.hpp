#pragma once

// Calls that need a task, made without one: the program aborts with a message that names the call and the fix.

namespace tare::detail {

class shard;

/// Aborts the program. `instead` completes "call it from a task, ...".
[[noreturn]] void called_outside_of_a_task(const char* call, const char* instead) noexcept;

/// The shard whose task calls `call`. Does not return outside a task.
[[nodiscard]] shard& shard_for(const char* call, const char* instead = "for instance from one that tare::run runs");

/// Does not return outside a task.
inline void require_task(const char* call) { (void)shard_for(call); }

/// Aborts the program: `call` must be made on the shard that the object belongs to.
[[noreturn]] void called_on_another_shard(const char* call) noexcept;

}  // namespace tare::detail
