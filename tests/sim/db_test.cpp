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

// --- one database, and tasks that read and write at the same time
// ------------------------------------------------------

/// More rows than the client takes at once.
constexpr const char* series =
    "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 3000) SELECT n, hex(zeroblob(20)) FROM s";

template <class On>
task<db::result<void>> read_rows(On& on, int rows) {
  auto all = co_await on.query(series);
  if (!all) co_return std::unexpected(all.error());
  for (int i = 1; i <= rows; ++i) {
    auto row = co_await all->next();
    if (!row) co_return std::unexpected(row.error());
    EXPECT_TRUE(row->has_value());
    if (*row) {
      EXPECT_EQ((*row)->template get<int>(0), i);
    }
  }
  co_return db::result<void>();
}

/// Leaves rows unread before a statement and before the end of the transaction.
task<db::result<void>> write_between_unread_rows(db::pool& in, bool commits) {
  auto tx = co_await in.begin();
  if (!tx) co_return std::unexpected(tx.error());
  auto before = co_await read_rows(*tx, 1);
  if (!before) co_return before;
  const auto done = co_await tx->execute("INSERT INTO t VALUES (1)");
  if (!done) co_return std::unexpected(done.error());
  co_await tare::sleep_for(5ms);
  auto after = co_await read_rows(*tx, 1000);
  if (!after) co_return after;
  if (commits) co_return co_await tx->commit();
  co_return co_await tx->rollback();
}

task<db::result<void>> write_batch(db::pool& in) {
  db::batch both;
  both.add("INSERT INTO t VALUES ($1)", 1);
  both.add("INSERT INTO t VALUES ($1)", -1);
  auto done = co_await in.execute(std::move(both));
  if (!done) co_return std::unexpected(done.error());
  co_return db::result<void>();
}

task<db::result<void>> write_script(db::pool& in) {
  co_return co_await in.execute_script("INSERT INTO t VALUES (2); INSERT INTO t VALUES (-2)");
}

task<db::result<void>> read_only(db::pool& in) {
  auto tx = co_await in.begin({.read_only = true});
  if (!tx) co_return std::unexpected(tx.error());
  const auto first = co_await tx->query_one<std::int64_t>("SELECT count(*) FROM t");
  if (!first) co_return std::unexpected(first.error());
  co_await tare::sleep_for(20ms);
  const auto second = co_await tx->query_one<std::int64_t>("SELECT count(*) FROM t");
  if (!second) co_return std::unexpected(second.error());
  EXPECT_EQ(first->value_or(-1), second->value_or(-1)) << "one transaction has read two states";
  auto one = co_await tx->template query_one<int>(series);
  if (!one) co_return std::unexpected(one.error());
  EXPECT_EQ(one->value_or(1), 1);
  co_return co_await tx->commit();
}

/// Keeps a connection and goes on with it after a query that was given up.
task<db::result<void>> read_on_one_connection(db::pool& in) {
  auto held = co_await in.acquire();
  if (!held) co_return std::unexpected(held.error());
  auto some = co_await read_rows(*held, 2);
  if (!some) co_return some;
  co_return co_await read_rows(*held, 3000);
}

task<> expect_done(world& w, task<db::result<void>> doing, int& succeeded) {
  const auto done = co_await std::move(doing);
  EXPECT_TRUE(done.has_value() || w.fault_may_fail()) << done.error().message();
  if (done) ++succeeded;
}

task<> read_and_write(world& w) {
  db::pool_options options;
  options.connections = 6;
  auto opened = db::pool::open("sqlite:/tmp/items.db", options);
  EXPECT_TRUE(opened.has_value());
  if (!opened) co_return;
  const auto created = co_await opened->execute_script("CREATE TABLE t (n INTEGER)");
  EXPECT_TRUE(created.has_value() || w.fault_may_fail());
  int committed = 0;
  int in_pairs = 0;
  int ended = 0;
  co_await tare::with_scope([&](tare::scope& s) -> task<> {
    s.spawn(expect_done(w, write_between_unread_rows(*opened, true), committed));
    s.spawn(expect_done(w, write_between_unread_rows(*opened, false), ended));
    s.spawn(expect_done(w, write_batch(*opened), in_pairs));
    s.spawn(expect_done(w, write_script(*opened), in_pairs));
    s.spawn(expect_done(w, read_only(*opened), ended));
    s.spawn(expect_done(w, read_on_one_connection(*opened), ended));
    co_return;
  });
  const auto sum = co_await opened->query_one<std::int64_t>("SELECT coalesce(sum(n), 0) FROM t");
  EXPECT_TRUE(sum.has_value() || w.fault_may_fail());
  if (sum && *sum) {
    EXPECT_GE(**sum, committed);
    EXPECT_LE(**sum, 1);
  }
  const auto count = co_await opened->query_one<std::int64_t>("SELECT count(*) FROM t");
  if (count && *count) {
    EXPECT_GE(**count, 2 * in_pairs + committed);
  }
  co_await opened->close();
  EXPECT_EQ(opened->lent(), 0U);
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

TEST(sim_db, tasks_read_and_write_one_database_under_every_fault) {
  tare::sim::run_seeds(30, {}, read_and_write);
  survives_every_fault(read_and_write);
}

TEST(sim_db, two_of_our_pools_wait_for_the_lock_under_every_fault) {
  tare::sim::run_seeds(30, {}, use_two_pools);
  survives_every_fault(use_two_pools);
}

}  // namespace
