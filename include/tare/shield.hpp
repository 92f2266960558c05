#pragma once

// Cleanup that must await even though the task is being cancelled.
//
//   co_await tare::shield(connection.close());
//
// **Errors** Those of the awaited task. **Cancellation** Does not reach the awaited task. **Threads** The task's
// shard. **Bytes** None in addition to the awaited task's frame; a request such as `m.lock()` needs a frame of its own.

#include <tare/detail/join_group.hpp>
#include <tare/task.hpp>

#include <utility>

namespace tare {

/// Awaiting the result runs `inner` to completion; cancellation of the awaiting task does not reach it.
template <class T>
detail::shielded<T> shield(task<T> inner) noexcept {
  return {std::move(inner)};
}

/// The same for a request: `auto guard = co_await tare::shield(m.lock());`.
template <detail::request A>
detail::shielded<detail::await_result_t<A>> shield(A request) {
  return {detail::as_task(std::move(request))};
}

}  // namespace tare
