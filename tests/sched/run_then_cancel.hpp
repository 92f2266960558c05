#pragma once

// A task that is cancelled while it waits, for tests of what a cancellation leaves behind.

#include <tare/tare.hpp>

#include <chrono>
#include <utility>

namespace tare::test {

/// Runs `worker` in a scope, cancels the scope after a millisecond, and returns when `worker` has ended.
inline task<> run_then_cancel(task<> worker) {
  scope s;
  s.spawn(std::move(worker));
  co_await sleep_for(std::chrono::milliseconds(1));
  s.cancel();
  co_await s.join();
}

/// The same in a separate runtime, in virtual time.
inline void run_then_cancel_in_virtual_time(task<> worker) {
  runtime rt({.clock = clock_kind::virtual_time});
  rt.run(run_then_cancel(std::move(worker)));
}

}  // namespace tare::test
