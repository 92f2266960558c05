// A snapshot that is taken in the smallest portions while tasks wait, under every single fault.

#include <tare/snapshot.hpp>

#include "sim/explored.hpp"

#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

/// Whatever ends the task that has it.
class event_set_at_exit {
 public:
  explicit event_set_at_exit(tare::event& set) noexcept : set_(set) {}
  event_set_at_exit(const event_set_at_exit&) = delete;
  event_set_at_exit& operator=(const event_set_at_exit&) = delete;
  ~event_set_at_exit() { set_.set(); }

 private:
  tare::event& set_;
};

task<> wait_for(tare::event& end) { co_await end.wait(); }

task<> take_snapshot(tare::event& end) {
  const event_set_at_exit setting(end);
  const auto seen = co_await tare::snapshot({.longest_pause = 0ns});
  EXPECT_EQ(seen.shards.size(), 1U);
}

TEST(sim_snapshot, in_portions_under_every_fault) {
  const auto seen = tare::testing::explore_every_fault([](world& /*w*/) -> task<> {
    tare::event end;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (int i = 0; i < 20; ++i) s.spawn(wait_for(end));
      s.spawn(take_snapshot(end));
      co_return;
    });
  });
  EXPECT_GT(seen.awaits.tried, 20U);
}

}  // namespace
