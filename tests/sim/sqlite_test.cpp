// SQLite on the disk of a host, through its own calls of the system, and our client of it: what is committed survives a
// crash at every call, errors of the disk lose nothing, and tasks that wait for a lock let its holder go on.

#include "sim/explored.hpp"

#include <tare/db.hpp>
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

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

namespace db = tare::db;

/// SQLite without our client. Like that, it has no mutex of its own: a crash waits for threads that hold one.
class connection {
 public:
  explicit connection(const char* path) {
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    error_ = sqlite3_open_v2(path, &handle_, flags, nullptr);
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() { sqlite3_close(handle_); }

  bool run(const std::string& sql) {
    error_ = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
    return error_ == SQLITE_OK;
  }
  /// The text of the first column of the first row, or the error.
  std::string first(const char* sql) {
    std::string text;
    error_ = sqlite3_exec(
        handle_, sql,
        [](void* into, int /*columns*/, char** values, char** /*names*/) {
          auto& first = *static_cast<std::string*>(into);
          if (first.empty()) first = values[0] == nullptr ? "null" : values[0];
          return 0;
        },
        &text, nullptr);
    return error_ == SQLITE_OK ? text : sqlite3_errmsg(handle_);
  }
  void wait_for_locks(std::chrono::milliseconds most) {
    sqlite3_busy_timeout(handle_, static_cast<int>(most.count()));
  }
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  sqlite3* handle_ = nullptr;
  int error_ = SQLITE_OK;
};

/// How far the program of a host has come; it outlives the host.
struct progress {
  int begun = 0;      ///< transactions
  int committed = 0;  ///< of them
  bool ended = false;
};
progress reached;

constexpr int transactions = 4;

/// Each transaction adds two rows, and changes one of the row of all.
void add(connection& to, int number) {
  ++reached.begun;
  const std::string value = std::to_string(number);
  if (to.run("BEGIN IMMEDIATE; INSERT INTO t VALUES (" + value + ", zeroblob(3000)); INSERT INTO t VALUES (-" + value +
             ", NULL); UPDATE total SET n = n + 1; COMMIT")) {
    ++reached.committed;
  } else {
    (void)to.run("ROLLBACK");
  }
}

/// With a rollback journal, SQLite syncs the end of a transaction only if told so (`EXTRA`): it is the removal of the
/// journal.
constexpr const char* with_wal = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";
constexpr const char* with_journal = "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA";

void add_all(const char* settings) {
  connection to("/data/items.db");
  if (!to.run(settings)) return;
  if (!to.run("BEGIN; CREATE TABLE t (n INTEGER, b BLOB); CREATE TABLE total (n INTEGER);"
              "INSERT INTO total VALUES (0); COMMIT")) {
    return;
  }
  for (int i = 1; i <= transactions; ++i) add(to, i);
}

/// What is in the database is what has been committed, perhaps with a transaction that has failed or was under way.
void check_database() {
  connection to("/data/items.db");
  EXPECT_EQ(to.first("PRAGMA integrity_check"), "ok");
  if (to.first("SELECT count(*) FROM sqlite_master") == "0") {
    EXPECT_EQ(reached.committed, 0);
    return;
  }
  const int total = std::stoi(to.first("SELECT n FROM total"));
  EXPECT_GE(total, reached.committed);
  EXPECT_LE(total, reached.begun);
  EXPECT_EQ(to.first("SELECT count(*) FROM t"), std::to_string(2 * total));
  EXPECT_EQ(to.first("SELECT sum(n) FROM t"), total == 0 ? "null" : "0");
  EXPECT_TRUE(to.run("INSERT INTO t VALUES (0, NULL)"));
}

/// Runs on a thread of the host, as SQLite does in our client.
task<> run_on(tare::sim::host& host, void (*program)()) {
  reached.ended = false;
  host.spawn([program]() -> task<> {
    co_await tare::offload([program] { program(); });
    reached.ended = true;
  });
  while (host.is_up() && !reached.ended) co_await tare::sleep_for(1ms);
}

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
      co_await run_on(host, +[] {
        connection to("/data/items.db");
        EXPECT_TRUE(to.run("PRAGMA synchronous = OFF; CREATE TABLE t (n INTEGER, b BLOB)"));
        for (int i = 1; i <= 50; ++i) {
          if (to.run("INSERT INTO t VALUES (1, zeroblob(3000))")) reached.committed = i;
        }
      });
      EXPECT_FALSE(host.is_up());
      host.restart();
      static std::string left;
      co_await run_on(host, +[] {
        connection to("/data/items.db");
        const bool intact = to.first("PRAGMA integrity_check") == "ok";
        left = intact ? to.first("SELECT count(*) FROM t") : "damaged";
      });
      if (left != std::to_string(reached.committed)) ++damaged;
    });
  }
  EXPECT_GT(damaged, 5);
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
    co_await run_on(host, +[] {
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

// Our client.

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
  if (sum && *sum) EXPECT_EQ(**sum, 0);
  if (count && *count) {
    EXPECT_GE(**count, 2 * committed);
    EXPECT_LE(**count, 2 * begun);
  }
  co_await pool.close();
  EXPECT_EQ(pool.lent(), 0U);
}

TEST(sim_sqlite, our_client_works_under_many_seeds) { tare::sim::run_seeds(30, {}, use_pool); }

TEST(sim_sqlite, our_client_survives_every_fault) {
  const auto seen = tare::testing::explore_every_fault(use_pool);
  EXPECT_GT(seen.awaits.tried, 10U);
  EXPECT_GT(seen.files.tried, 50U);
}

}  // namespace
