// The memory budget with honest and impatient tasks, under every single fault: no share is lost, nobody who waits is
// forgotten, and whoever leaves lets the next one in.

#include "sim/explored.hpp"

#include <tare/memory_budget.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::memory_budget;
using tare::memory_share;
using tare::task;
using tare::sim::world;

constexpr std::size_t mib = std::size_t{1} << 20U;
constexpr std::size_t limit = 8 * mib;

/// Is admitted, then grows, as a request does that reads a body.
task<> hold(world& w, memory_budget& budget) {
  auto share = co_await budget.admit(2 * mib, 1h);
  EXPECT_TRUE(share || w.fault_may_fail());
  if (!share) co_return;
  co_await tare::sleep_for(2ms);
  const bool grown = co_await share.resize(3 * mib, 1h);
  EXPECT_TRUE(grown || w.fault_may_fail());
  EXPECT_EQ(share.bytes(), grown ? 3 * mib : 2 * mib);
  co_await tare::sleep_for(2ms);
}

/// Never gets the reserve, and has a queue of its own.
task<> hold_for_long(memory_budget& budget) {
  auto share = co_await budget.admit(mib, 1h);
  if (!share) co_return;
  share.keep_from_reserve();
  co_await tare::sleep_for(3ms);
  (void)co_await share.resize(2 * mib, 1h);
  co_await tare::sleep_for(5ms);
}

/// Waits for less time than the others hold.
task<> ask_impatiently(memory_budget& budget) {
  for (int i = 0; i < 3; ++i) {
    auto share = co_await budget.admit(5 * mib, 500us);
    if (share) co_await tare::sleep_for(100us);
  }
}

/// Too much ever to fit.
task<> ask_for_too_much(memory_budget& budget) {
  const auto share = co_await budget.admit(2 * limit, 1h);
  EXPECT_FALSE(share);
}

task<> ask_urgently(memory_budget& budget) {
  for (int i = 0; i < 3; ++i) {
    auto share = budget.try_admit_urgent(20'000);
    if (share) (void)co_await share.resize(60'000, 2ms);
    co_await tare::sleep_for(2ms);
  }
}

task<> share_budget(world& w) {
  // What the process really holds differs from run to run.
  memory_budget budget(limit, [] { return mib; });
  budget.keep_reserve(3 * mib);
  co_await tare::with_scope([&](tare::scope& s) -> task<> {
    for (int i = 0; i < 4; ++i) s.spawn(hold(w, budget));
    s.spawn(hold_for_long(budget));
    s.spawn(ask_impatiently(budget));
    s.spawn(ask_for_too_much(budget));
    s.spawn(ask_urgently(budget));
    co_return;
  });
  EXPECT_EQ(budget.promised(), 0U);
  EXPECT_EQ(budget.waiting(), 0U);
  // Nobody has kept the reserve, nor a turn.
  auto after = co_await budget.admit(4 * mib, 1s);
  EXPECT_TRUE(after);
  const bool all = co_await after.resize(5 * mib, 1s);
  EXPECT_TRUE(all);
}

TEST(sim_budget, under_every_fault) {
  const auto seen = tare::testing::explore_every_fault(share_budget);
  EXPECT_GT(seen.awaits.tried, 20U);
}

TEST(sim_budget, under_many_seeds) { tare::sim::run_seeds(200, {}, share_budget); }

}  // namespace
