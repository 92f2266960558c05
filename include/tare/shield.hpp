#pragma once

// Clean-up that has to await although the task is being cancelled.
//
//   co_await tare::shield(connection.say_goodbye());
//
// Costs nothing beside the awaited task's frame.

#include <tare/task.hpp>

namespace tare {

/// Awaiting the result runs `inner` to its end; cancellation of the awaiting task does not reach it.
template <class T>
[[nodiscard]] detail::shielded<T> shield(task<T> inner) noexcept {
  return {std::move(inner)};
}

}  // namespace tare
