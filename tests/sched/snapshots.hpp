#pragma once

// What tests of snapshots compare with: which coroutine a frame belongs to, and what is true for every snapshot.

#include "frame/arena.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace tare::test {

/// Reports the resume function of the coroutine that awaits it, and the bytes that the heap allocates for its frame.
struct introduction {
  const void* resume = nullptr;
  std::size_t bytes = 0;
};

class introduce_awaiter;
struct introduce {
  using tare_awaiter = introduce_awaiter;
  introduction& to;
};
class introduce_awaiter {
 public:
  introduce_awaiter(introduce request, tare::detail::wait_state& self) {
    void* const frame = tare::detail::handle_of(self).address();
    request.to = {.resume = *static_cast<const void* const*>(frame),
                  .bytes = tare::detail::arena::instance().slab_of(frame)->object_bytes};
  }
  static bool await_ready() noexcept { return true; }
  static void await_suspend(std::coroutine_handle<> /*self*/) noexcept {}
  static void await_resume() noexcept {}
};

/// The number of frames that wait for `what` in the coroutine's group; 0 if there is no such group.
inline std::size_t count(const task_snapshot& in, const introduction& of, awaited what) {
  std::size_t found = 0;
  std::size_t groups = 0;
  for (const frame_group& each : in.groups) {
    if (each.resume != of.resume || each.waiting_for != what) continue;
    EXPECT_EQ(each.frame_bytes, of.bytes);
    found = each.count;
    ++groups;
  }
  EXPECT_LE(groups, 1U);
  return found;
}

/// The same, whatever they wait for.
inline std::size_t count(const task_snapshot& in, const introduction& of) {
  std::size_t found = 0;
  for (const frame_group& each : in.groups) {
    if (each.resume == of.resume) found += each.count;
  }
  return found;
}

/// What is true for every snapshot.
inline void expect_consistent(const task_snapshot& seen) {
  std::size_t frames = 0;
  std::size_t bytes = 0;
  std::size_t before = SIZE_MAX;
  for (const frame_group& each : seen.groups) {
    frames += each.count;
    bytes += each.total_bytes();
    EXPECT_LE(each.total_bytes(), before);
    before = each.total_bytes();
  }
  EXPECT_EQ(frames + seen.ungrouped, seen.frames());
  EXPECT_EQ(bytes, seen.frame_bytes());
  EXPECT_EQ(seen.ungrouped, 0U);
  for (const tare::walked_heap& each : seen.shards) {
    EXPECT_LE(each.frame_bytes, each.live_bytes);
    EXPECT_LE(each.live_bytes, each.held_bytes);
    EXPECT_GE(each.pauses, 1U);
    EXPECT_GT(each.longest_pause, std::chrono::nanoseconds(0));
    EXPECT_LE(each.longest_pause, seen.longest_pause());
  }
}

/// Runs it where sleeping takes no time, so that sleeping tasks need not be cancelled: 10,000 exceptions take seconds
/// with a sanitizer.
inline void run_in_virtual_time(task<> body, unsigned shards = 1) {
  tare::runtime rt({.shards = shards, .clock = tare::clock_kind::virtual_time});
  rt.run(std::move(body));
}

/// Prevents the compiler from removing an array from the frame.
inline void use(void* kept) { asm volatile("" : : "r"(kept) : "memory"); }

inline task<> sleeper(introduction& who) {
  co_await introduce{who};
  co_await tare::sleep_for(std::chrono::hours(1));
}

}  // namespace tare::test
