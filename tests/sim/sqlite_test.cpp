// SQLite on the disk of a host, through its own calls of the system: what is committed survives a crash at every call,
// errors of the disk lose nothing, and threads that wait for a lock let its holder go on.

#include "sim/sqlite_items.hpp"

#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace sqlite_items;
using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

/// Returns how many crashes there were.
template <class Program>
int crash_at_each_call(std::uint64_t seed, Program program) {
  for (std::uint64_t crash = 1;; ++crash) {
    bool crashed = false;
    tare::sim::run({.seed = seed + crash, .twice = crash == 20}, [&](world& w) -> task<> {
      reached = {};
      auto& host = w.add_host("host");
      host.disk().make_directory("/data");
      host.disk().crash_at(crash);
      co_await run_on(host, program);
      crashed = !host.is_up();
      if (crashed) host.restart();
      host.disk().crash_at(0);
      co_await run_on(host, &check_database);
    });
    if (!crashed) return static_cast<int>(crash) - 1;
    if (::testing::Test::HasFailure()) return static_cast<int>(crash);
  }
}

TEST(sim_sqlite, what_is_committed_survives_a_crash_at_every_call) {
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const int crashes_with_wal = crash_at_each_call(seed * 1000, +[] { add_all(with_wal); });
    const int crashes_with_journal = crash_at_each_call(seed * 1000, +[] { add_all(with_journal); });
    EXPECT_GT(crashes_with_wal, 50);
    EXPECT_GT(crashes_with_journal, 50);
    std::printf("%d crashes with WAL, %d with a journal\n", crashes_with_wal, crashes_with_journal);
  }
}

TEST(sim_sqlite, without_syncs_a_crash_loses_something_for_some_seed) {
  int damaged = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    tare::sim::run({.seed = seed, .twice = false}, [&](world& w) -> task<> {
      reached = {};
      auto& host = w.add_host("host");
      host.disk().make_directory("/data");
      host.disk().crash_at(40);
      co_await run_on(
          host, +[] {
            connection to("/data/items.db");
            EXPECT_TRUE(to.run("PRAGMA synchronous = OFF; CREATE TABLE t (n INTEGER, b BLOB)"));
            for (int i = 1; i <= 50; ++i) {
              if (to.run("INSERT INTO t VALUES (1, zeroblob(3000))")) reached.committed = i;
            }
          });
      EXPECT_FALSE(host.is_up());
      host.restart();
      static std::string left;
      co_await run_on(
          host, +[] {
            connection to("/data/items.db");
            const bool intact = to.first("PRAGMA integrity_check") == "ok";
            left = intact ? to.first("SELECT count(*) FROM t") : "damaged";
          });
      if (left != std::to_string(reached.committed)) ++damaged;
    });
  }
  EXPECT_GT(damaged, 5);
}

TEST(sim_sqlite, with_a_journal_a_commit_is_lost_for_some_seed_unless_its_removal_is_synced) {
  int lost = 0;
  for (std::uint64_t crash = 30; crash < 80; ++crash) {
    tare::sim::run({.seed = crash, .twice = false}, [&](world& w) -> task<> {
      reached = {};
      auto& host = w.add_host("host");
      host.disk().make_directory("/data");
      host.disk().crash_at(crash);
      co_await run_on(host, +[] { add_all("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL"); });
      if (host.is_up()) co_return;
      host.restart();
      static int total;
      co_await run_on(
          host, +[] {
            connection to("/data/items.db");
            EXPECT_EQ(to.first("PRAGMA integrity_check"), "ok");
            total =
                to.first("SELECT count(*) FROM sqlite_master") == "0" ? 0 : std::stoi(to.first("SELECT n FROM total"));
          });
      if (total < reached.committed) ++lost;
    });
  }
  EXPECT_GT(lost, 0);
}

TEST(sim_sqlite, a_disk_that_is_full_or_fails_loses_nothing_that_is_committed) {
  for (const char* const chosen : {with_wal, with_journal}) {
    static const char* settings;
    settings = chosen;
    bool failed = true;
    int errors = 0;
    for (std::uint64_t call = 1; failed; ++call) {
      tare::sim::run({.seed = call, .twice = false}, [&](world& w) -> task<> {
        reached = {};
        auto& host = w.add_host("host");
        host.disk().make_directory("/data");
        host.disk().fail_at(call);
        co_await run_on(host, +[] { add_all(settings); });
        failed = host.disk().calls() >= call;
        if (reached.committed < transactions) ++errors;
        host.disk().fail_at(0);
        co_await run_on(host, &check_database);
      });
    }
    EXPECT_GT(errors, 10);
    for (const std::size_t most : {0U, 1U, 5'000U, 12'288U, 20'000U, 30'000U}) {
      tare::sim::run_seeds(5, {}, [&](world& w) -> task<> {
        reached = {};
        auto& host = w.add_host("host", {.disk_bytes = most});
        host.disk().make_directory("/data");
        co_await run_on(host, +[] { add_all(settings); });
        EXPECT_LT(reached.committed, transactions);
        EXPECT_LE(host.disk().used_bytes(), most);
        host.disk().limit_bytes(SIZE_MAX);
        co_await run_on(host, &check_database);
      });
    }
  }
}

TEST(sim_sqlite, a_thread_that_waits_for_the_lock_lets_its_holder_go_on) {
  tare::sim::run_seeds(20, {}, [](world& w) -> task<> {
    auto& host = w.add_host("host");
    co_await run_on(
        host, +[] {
          connection holder("/tmp/items.db");
          EXPECT_TRUE(holder.run("PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER); BEGIN IMMEDIATE"));
          const auto before = std::chrono::steady_clock::now();
          std::thread waits([] {
            connection second("/tmp/items.db");
            second.wait_for_locks(1min);
            EXPECT_TRUE(second.run("INSERT INTO t VALUES (2)"));
          });
          std::thread gives_up([] {
            connection third("/tmp/items.db");
            third.wait_for_locks(1s);
            EXPECT_FALSE(third.run("INSERT INTO t VALUES (3)"));
            EXPECT_EQ(third.error(), SQLITE_BUSY);
          });
          std::this_thread::sleep_for(10s);
          EXPECT_TRUE(holder.run("INSERT INTO t VALUES (1); COMMIT"));
          waits.join();
          gives_up.join();
          EXPECT_GE(std::chrono::steady_clock::now() - before, 10s);
          EXPECT_LT(std::chrono::steady_clock::now() - before, 15s);
          EXPECT_EQ(holder.first("SELECT group_concat(n) FROM (SELECT n FROM t ORDER BY n)"), "1,2");
        });
  });
}

}  // namespace
