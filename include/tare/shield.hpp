#pragma once

// Cleanup that must await even though the task is being cancelled.
//
//   co_await tare::shield(connection.say_goodbye());
//
// Costs nothing in addition to the awaited task's frame.

#include <tare/task.hpp>

namespace tare {

/// Awaiting the result runs `inner` to completion; cancellation of the awaiting task does not reach it.
template <class T>
[[nodiscard]] detail::shielded<T> shield(task<T> inner) noexcept {
  return {std::move(inner)};
}

}  // namespace tare
