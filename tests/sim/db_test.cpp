// Our client of SQLite on the disk of a host: under every fault, in two pools, and with a crash at every call.

#include <tare/db.hpp>

#include "sim/explored.hpp"
#include "sim/sqlite_items.hpp"

#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <utility>

namespace {

using namespace sqlite_items;
using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

namespace db = tare::db;

task<> use_pool(world& w) {
  db::pool_options options;
  options.connections = 2;
  auto opened = db::pool::open("sqlite:/tmp/items.db", options);
  EXPECT_TRUE(opened.has_value());
  if (!opened) co_return;
  auto& pool = *opened;
  const auto created = co_await pool.execute_script("CREATE TABLE t (n INTEGER)");
  EXPECT_TRUE(created.has_value() || w.fault_may_fail()) << created.error().message();
  int committed = 0;
  int begun = 0;
  co_await tare::with_scope([&](tare::scope& s) -> task<> {
    for (int i = 1; i <= 2; ++i) {
      s.spawn([&]() -> task<> {
        const auto done = co_await pool.transact([&](db::transaction& tx) -> task<db::result<void>> {
          const auto first = co_await tx.execute("INSERT INTO t VALUES (1)");
          if (!first) co_return std::unexpected(first.error());
          ++begun;
          const auto second = co_await tx.execute("INSERT INTO t VALUES (-1)");
          if (!second) co_return std::unexpected(second.error());
          co_return db::result<void>();
        });
        if (done) ++committed;
        EXPECT_TRUE(done.has_value() || w.fault_may_fail()) << done.error().message();
      });
    }
    co_return;
  });
  const auto sum = co_await pool.query_one<std::int64_t>("SELECT coalesce(sum(n), 0) FROM t");
  const auto count = co_await pool.query_one<std::int64_t>("SELECT count(*) FROM t");
  EXPECT_TRUE((sum.has_value() && count.has_value()) || w.fault_may_fail());
  if (sum && *sum) {
    EXPECT_EQ(**sum, 0);
  }
  if (count && *count) {
    EXPECT_GE(**count, 2 * committed);
    EXPECT_LE(**count, 2 * begun);
  }
  co_await pool.close();
  EXPECT_EQ(pool.lent(), 0U);
}

/// Of another pool, so that it waits for SQLite's lock, and not for its turn.
task<> use_two_pools(world& w) {
  auto one = db::pool::open("sqlite:/tmp/items.db");
  auto other = db::pool::open("sqlite:/tmp/items.db");
  EXPECT_TRUE(one.has_value() && other.has_value());
  if (!one || !other) co_return;
  const auto created = co_await one->execute_script("CREATE TABLE t (n INTEGER)");
  EXPECT_TRUE(created.has_value() || w.fault_may_fail());
  std::uint64_t added = 0;
  co_await tare::with_scope([&](tare::scope& s) -> task<> {
    for (db::pool* const by : {&*one, &*other}) {
      s.spawn([&, by]() -> task<> {
        auto tx = co_await by->begin();
        EXPECT_TRUE(tx.has_value() || w.fault_may_fail());
        if (!tx) co_return;
        const auto done = co_await tx->execute("INSERT INTO t VALUES (1)");
        co_await tare::sleep_for(100ms);
        if (!done) co_return;
        const auto committed = co_await tx->commit();
        if (committed) ++added;
        EXPECT_TRUE(committed.has_value() || w.fault_may_fail());
      });
    }
    co_return;
  });
  const auto count = co_await one->query_one<std::int64_t>("SELECT count(*) FROM t");
  EXPECT_TRUE(count.has_value() || w.fault_may_fail());
  if (count && *count) {
    EXPECT_GE(static_cast<std::uint64_t>(**count), added);
  }
  co_await one->close();
  co_await other->close();
  EXPECT_EQ(one->lent() + other->lent(), 0U);
}

/// The client of a host that crashes at a call, and the one that finds what is left.
task<> commit_until_crash() {
  auto opened = db::pool::open("sqlite:/data/items.db");
  if (!opened) co_return;
  const auto created = co_await opened->execute_script(
      "CREATE TABLE IF NOT EXISTS t (n INTEGER, b BLOB); CREATE TABLE IF NOT EXISTS total (n INTEGER);"
      "INSERT INTO total VALUES (0)");
  if (!created) co_return;
  for (int i = 0; i < transactions; ++i) {
    ++reached.begun;
    db::batch all;
    all.add("INSERT INTO t VALUES ($1, zeroblob(3000))", i);
    all.add("INSERT INTO t VALUES ($1, NULL)", -i);
    all.add("UPDATE total SET n = n + 1");
    const auto done = co_await opened->execute(std::move(all));
    if (done) ++reached.committed;
  }
  co_await opened->close();
  reached.ended = true;
}

TEST(sim_db, what_our_client_has_committed_survives_a_crash_at_every_call) {
  bool crashed = true;
  std::uint64_t crashes = 0;
  for (std::uint64_t crash = 1; crashed; ++crash) {
    tare::sim::run({.seed = crash, .twice = crash % 10 == 0}, [&](world& w) -> task<> {
      reached = {};
      auto& host = w.add_host("host");
      host.disk().make_directory("/data");
      host.disk().crash_at(crash);
      host.spawn([] { return commit_until_crash(); });
      while (host.is_up() && !reached.ended) co_await tare::sleep_for(1ms);
      crashed = !host.is_up();
      if (crashed) host.restart();
      host.disk().crash_at(0);
      co_await run_on(host, &check_database);
    });
    if (crashed) ++crashes;
  }
  EXPECT_GT(crashes, 50U);
}

TEST(sim_db, our_client_works_under_many_seeds) { tare::sim::run_seeds(30, {}, use_pool); }

void survives_every_fault(task<> (*scenario)(world&)) {
  const auto seen = tare::testing::explore_every_fault(scenario);
  EXPECT_GT(seen.awaits.tried, 10U);
  EXPECT_GT(seen.files.tried, 50U);
}

TEST(sim_db, our_client_survives_every_fault) { survives_every_fault(use_pool); }

TEST(sim_db, two_of_our_pools_wait_for_the_lock_under_every_fault) {
  tare::sim::run_seeds(30, {}, use_two_pools);
  survives_every_fault(use_two_pools);
}

}  // namespace
