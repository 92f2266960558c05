// When the virtual clock reports that nothing can happen any more.

#include "timer/virtual_time.hpp"

#include "sched/driver.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::detail::virtual_time;

constexpr std::chrono::milliseconds never = 1h;

/// A driver that waits until it is woken, or until the time has passed.
class idle_driver final : public tare::detail::driver {
 public:
  explicit idle_driver(bool awaited) : awaited_(awaited) {}
  void poll() noexcept override {}
  void wait(std::optional<std::chrono::nanoseconds> longest) noexcept override {
    const auto end = std::chrono::steady_clock::now() + longest.value_or(1h);
    while (!woken_.exchange(false) && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  }
  [[nodiscard]] int native_handle() const noexcept override { return -1; }
  [[nodiscard]] bool has_to_retry() const noexcept override { return false; }
  void wake() noexcept override { woken_ = true; }
  void trim() noexcept override {}
  [[nodiscard]] bool is_trimmed() const noexcept override { return true; }
  [[nodiscard]] bool complete(tare::detail::wait_state& /*task*/) noexcept override { return true; }
  void fail_call(int /*error*/) noexcept override {}
  void give_up(tare::detail::wait_state& /*task*/) noexcept override {}
  [[nodiscard]] bool is_awaited() noexcept override { return awaited_; }
  void for_each_waiting(void (* /*visit*/)(tare::detail::wait_state& task)) noexcept override {}

 private:
  std::atomic<bool> woken_ = false;
  bool awaited_;
};

struct reports {
  std::vector<virtual_time::stall> seen;
  bool answer = false;
  std::atomic<std::size_t> count = 0;

  [[nodiscard]] virtual_time::on_stall handler() {
    return [this](virtual_time::stall found) {
      seen.push_back(found);
      ++count;
      return answer;
    };
  }
};

/// Returns when the clock has reported stalls that often; in vain after ten seconds.
void wait_for(const reports& received, std::size_t often) {
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (received.count < often && std::chrono::steady_clock::now() < end) std::this_thread::yield();
}

/// Wakes shard 0 when the clock has reported stalls that often, so that its `idle` returns.
void idle_until_reported(virtual_time& time, tare::detail::driver* io, const reports& received, std::size_t often) {
  std::thread waker([&] {
    wait_for(received, often);
    time.notify(0);
  });
  time.idle(0, std::nullopt, io);
  waker.join();
}

/// Wakes shard 0 some time after the clock would have reported a stall.
void idle_until_woken(virtual_time& time, std::chrono::milliseconds after) {
  std::thread waker([&time, after] {
    std::this_thread::sleep_for(after);
    time.notify(0);
  });
  time.idle(0, std::nullopt, nullptr);
  waker.join();
}

TEST(virtual_clock, tells_at_once_that_nothing_is_left) {
  reports received;
  virtual_time time(1, received.handler(), never);
  idle_until_reported(time, nullptr, received, 1);
  ASSERT_EQ(received.seen.size(), 1U);
  EXPECT_FALSE(received.seen[0].for_long);
  EXPECT_FALSE(received.seen[0].awaits_descriptors);
}

TEST(virtual_clock, does_not_while_there_is_a_deadline) {
  reports received;
  virtual_time time(1, received.handler(), 1ms);
  time.idle(0, 1'000, nullptr);
  EXPECT_EQ(time.now(), 1'000);
  EXPECT_TRUE(received.seen.empty());
}

TEST(virtual_clock, does_not_while_a_blocking_call_is_under_way) {
  reports received;
  virtual_time time(1, received.handler(), 1ms);
  time.blocking_begins();
  idle_until_woken(time, 20ms);
  EXPECT_TRUE(received.seen.empty());
}

TEST(virtual_clock, does_not_while_another_shard_is_at_work) {
  reports received;
  virtual_time time(2, received.handler(), 1ms);
  idle_until_woken(time, 20ms);
  EXPECT_TRUE(received.seen.empty());
}

TEST(virtual_clock, tells_when_the_last_blocking_call_has_ended_without_waking_anybody) {
  reports received;
  virtual_time time(1, received.handler(), never);
  time.blocking_begins();
  std::thread call([&] {
    std::this_thread::sleep_for(5ms);
    time.blocking_ends();
    wait_for(received, 1);
    time.notify(0);
  });
  time.idle(0, std::nullopt, nullptr);
  call.join();
  EXPECT_EQ(received.seen.size(), 1U);
}

TEST(virtual_clock, tells_again_after_a_while_until_it_was_reported) {
  reports received;
  received.answer = false;
  virtual_time time(1, received.handler(), 1ms);
  idle_until_reported(time, nullptr, received, 2);
  ASSERT_GE(received.seen.size(), 2U);
  EXPECT_TRUE(received.seen.back().for_long);

  reports once;
  once.answer = true;
  virtual_time silent(1, once.handler(), 1ms);
  idle_until_reported(silent, nullptr, once, 1);
  idle_until_woken(silent, 20ms);
  EXPECT_EQ(once.seen.size(), 1U);
}

TEST(virtual_clock, says_whether_a_descriptor_is_awaited) {
  for (const bool awaited : {false, true}) {
    idle_driver io(awaited);
    reports received;
    virtual_time time(1, received.handler(), never);
    idle_until_reported(time, &io, received, 1);
    ASSERT_EQ(received.seen.size(), 1U);
    EXPECT_EQ(received.seen[0].awaits_descriptors, awaited);
    EXPECT_FALSE(received.seen[0].for_long);
  }
}

TEST(virtual_clock, tells_after_a_while_that_descriptors_are_awaited) {
  idle_driver io(true);
  reports received;
  received.answer = true;
  virtual_time time(
      1,
      [&received](virtual_time::stall found) {
        received.seen.push_back(found);
        return found.for_long;
      },
      1ms);
  time.idle(0, std::nullopt, &io);  // returns by itself, so that the shard checks for work
  ASSERT_EQ(received.seen.size(), 2U);
  EXPECT_TRUE(received.seen[1].for_long);
  EXPECT_TRUE(received.seen[1].awaits_descriptors);
}

}  // namespace
