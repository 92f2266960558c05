// The client of PostgreSQL and its pool, with libpq as it is, against a server that misbehaves: under every single
// fault, at each message, and under many seeds.

#include <tare/db.hpp>

#include "sim/simulated_postgresql.hpp"

#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::db::error_kind;
using tare::db::pool;
using tare::sim::world;
using tare::testing::misdeed;
using tare::testing::simulated_postgresql;

constexpr auto deadline = 5s;

/// One run: the server, the pool, and what may go wrong.
struct setting {
  world& in;
  tare::sim::host& server;
  std::shared_ptr<simulated_postgresql> database;
  pool* connections = nullptr;
  bool may_fail = false;
  int succeeded = 0;

  [[nodiscard]] bool expects_success() const { return !may_fail && !in.fault_may_fail(); }
};

/// Within the deadline, a result; otherwise nothing.
template <class T>
task<std::optional<T>> in_time(setting& with, task<tare::db::result<T>> running) {
  const auto began = tare::now();
  auto ended = co_await tare::timeout(deadline, std::move(running));
  EXPECT_LT(tare::now() - began, deadline + 300ms) << "the deadline has no effect";
  if (!ended) {
    EXPECT_FALSE(with.expects_success()) << "not in time";
    co_return std::nullopt;
  }
  if (!*ended) {
    EXPECT_FALSE(with.expects_success()) << ended->error().message();
    EXPECT_NE(ended->error().code(), "57014") << "a statement was stopped by a request to cancel another one";
    EXPECT_NE(ended->error().message(), "");
    co_return std::nullopt;
  }
  ++with.succeeded;
  co_return **std::move(ended);
}

// --- what clients do ------------------------------------------------------------------------------------------------

task<> select(setting& with, std::string name, std::string sql) {
  auto got = co_await in_time(with, with.connections->query_one<std::string>(sql, name));
  if (!got) co_return;
  EXPECT_TRUE(got->has_value());
  if (*got) {
    EXPECT_EQ(**got, name);
  }
}

task<tare::db::result<int>> read_series(pool& in, std::string name, int limit) {
  auto all = co_await in.query("SERIES $1", name);
  if (!all) co_return std::unexpected(all.error());
  for (int next = 0; next < limit; ++next) {
    auto row = co_await all->next();
    if (!row) co_return std::unexpected(row.error());
    if (!*row) co_return next;
    EXPECT_EQ((*row)->get<std::string>(0), simulated_postgresql::series_row(name, next));
  }
  co_return limit;
}

task<> series(setting& with, std::string name) {
  constexpr int all = simulated_postgresql::series_rows;
  const auto whole = co_await in_time(with, read_series(*with.connections, name, all + 1));
  if (whole) {
    EXPECT_EQ(*whole, all);
  }
}

task<> insert(setting& with, std::string name) {
  const auto done = co_await in_time(with, with.connections->execute("INSERT $1", name));
  EXPECT_LE(with.database->committed[name], 1);
  if (done) {
    EXPECT_EQ(*done, 1U);
    EXPECT_EQ(with.database->committed[name], 1);
  }
}

task<tare::db::result<int>> insert_both(pool& in, std::string one, std::string other) {
  const auto in_transaction = [&](tare::db::transaction& tx) -> task<tare::db::result<int>> {
    const auto first = co_await tx.execute("INSERT $1", one);
    if (!first) co_return std::unexpected(first.error());
    const auto second = co_await tx.execute("INSERT $1", other);
    if (!second) co_return std::unexpected(second.error());
    co_return 2;
  };
  co_return co_await in.transact(in_transaction);
}

/// Both or none, and not twice.
void expect_both(setting& with, const std::string& one, const std::string& other, bool succeeded) {
  const int first = with.database->committed[one];
  EXPECT_EQ(first, with.database->committed[other]);
  EXPECT_LE(first, 1);
  if (succeeded) {
    EXPECT_EQ(first, 1);
  }
}

task<> transact(setting& with, std::string name) {
  const auto done = co_await in_time(with, insert_both(*with.connections, name + " a", name + " b"));
  expect_both(with, name + " a", name + " b", done.has_value());
}

task<> batch(setting& with, std::string name) {
  tare::db::batch both;
  both.add("INSERT $1", name + " a");
  both.add("INSERT $1", name + " b");
  const auto done = co_await in_time(with, with.connections->execute(std::move(both)));
  expect_both(with, name + " a", name + " b", done.has_value());
  if (done) {
    EXPECT_EQ(done->size(), 2U);
  }
}

task<tare::db::result<std::string>> borrow_and_select(pool& in, std::string name) {
  auto held = co_await in.acquire();
  if (!held) co_return std::unexpected(held.error());
  auto script = co_await held->execute_script("SET a = 1; SET b = 2");
  if (!script) co_return std::unexpected(script.error());
  auto got = co_await held->query_one<std::string>("SELECT $1", name);
  if (!got) co_return std::unexpected(got.error());
  co_return got->value_or("nothing");
}

task<> borrow(setting& with, std::string name) {
  const auto got = co_await in_time(with, borrow_and_select(*with.connections, name));
  if (got) {
    EXPECT_EQ(*got, name);
  }
}

/// A statement that fails leaves the connection usable.
task<> violate(setting& with, std::string name) {
  const auto ended = co_await tare::timeout(deadline, with.connections->execute("FAIL $1", name));
  EXPECT_FALSE(ended && ended->has_value());
  if (with.expects_success()) {
    EXPECT_TRUE(ended.has_value());
    if (ended) {
      EXPECT_EQ(ended->error().kind(), error_kind::constraint);
    }
  }
}

/// Gives a statement up while it runs, and another one while its rows are read.
task<> give_up(setting& with, std::string name) {
  const auto began = tare::now();
  const auto ended = co_await tare::timeout(200ms, with.connections->execute("WAIT $1", name));
  EXPECT_LT(tare::now() - began, 500ms);
  EXPECT_FALSE(ended && ended->has_value());
  const auto some = co_await in_time(with, read_series(*with.connections, name, 1));
  if (some) {
    EXPECT_EQ(*some, 1);
  }
}

// --- what must hold -------------------------------------------------------------------------------------------------

/// Every connection comes back to the pool in time.
task<> expect_returned(setting& with) {
  const auto began = tare::now();
  while (with.connections->lent() != 0 && tare::now() - began < 20s) co_await tare::sleep_for(20ms);
  EXPECT_EQ(with.connections->lent(), 0U) << "a connection was lost";
  EXPECT_LT(tare::now() - began, 6s) << "a connection came back late";
  for (const std::string& each : with.database->stopped) {
    EXPECT_TRUE(each.starts_with("given up")) << "stopped: " << each;
  }
  EXPECT_EQ(with.database->broken, "");
}

task<std::string> select_again(setting& with) {
  auto got = co_await tare::timeout(deadline, with.connections->query_one<std::string>("SELECT $1", "after"));
  if (!got) co_return "not in time";
  if (!*got) co_return got->error().message();
  co_return (*got)->value_or("nothing");
}

/// After the fault is over, the pool works again by itself.
task<> expect_recovery(setting& with) {
  with.in.heal();
  std::string last;
  for (int attempts = 0; attempts < 10; ++attempts) {
    if (!with.database->listens) with.server.spawn(simulated_postgresql::serve(with.database));
    last = co_await select_again(with);
    if (last == "after") break;
    co_await tare::sleep_for(1s);
  }
  EXPECT_EQ(last, "after") << "the pool does not recover";
}

using part = std::function<task<>(setting&)>;

struct plan {
  part clients;
  std::size_t connections = 2;
  const char* tls = "disable";
  std::function<void(simulated_postgresql&)> prepare = [](simulated_postgresql& /*server*/) {};
  bool may_fail = false;
};

task<> play(world& w, const plan& chosen) {
  auto database = std::make_shared<simulated_postgresql>();
  chosen.prepare(*database);
  auto& server = w.add_host("database");
  server.spawn(simulated_postgresql::serve(database));
  co_await tare::sleep_for(1ms);
  tare::db::pool_options options;
  options.connections = chosen.connections;
  options.connect_limit = 3s;
  auto opened = pool::open(std::string("postgresql://user:secret@database/items?gssencmode=disable&sslmode=") + chosen.tls,
                           options);
  EXPECT_TRUE(opened.has_value());
  if (!opened) co_return;
  setting with{.in = w, .server = server, .database = database, .connections = &*opened, .may_fail = chosen.may_fail};
  co_await chosen.clients(with);
  co_await expect_returned(with);
  co_await expect_recovery(with);
  co_await expect_returned(with);
  co_await opened->close();
}

// --- every single fault ---------------------------------------------------------------------------------------------

void explore(const plan& chosen, std::size_t max_bytes, std::size_t min_runs) {
  tare::sim::explore_options options;
  options.failed = [] { return ::testing::Test::HasFailure(); };
  options.max_bytes = max_bytes;
  const auto seen = tare::sim::explore(options, [&](world& w) { return play(w, chosen); });
  std::printf("%s\n", tare::sim::to_string(seen).c_str());
  EXPECT_EQ(seen.awaits.tried, seen.awaits.possible);
  EXPECT_EQ(seen.allocations.tried, seen.allocations.possible);
  EXPECT_EQ(seen.writes.tried, seen.writes.possible);
  EXPECT_EQ(seen.reads.tried, seen.reads.possible);
  EXPECT_GT(seen.runs, min_runs);
}

task<> run_statements(setting& with) {
  co_await select(with, "first", "SELECT $1");
  co_await insert(with, "second");
  co_await series(with, "third");
  co_await violate(with, "fourth");
}

task<> run_transactions(setting& with) {
  co_await transact(with, "first");
  co_await batch(with, "second");
  co_await borrow(with, "third");
}

task<> run_concurrently(setting& with) {
  co_await tare::when_all(select(with, "first", "SLOW $1"), select(with, "second", "SLOW $1"),
                          select(with, "third", "SELECT $1"));
}

task<> run_cancelling(setting& with) {
  co_await give_up(with, "given up");
  co_await select(with, "after it", "SLOW $1");
}

TEST(sim_postgresql, statements_under_every_fault) { explore({.clients = run_statements}, 64, 1000); }

TEST(sim_postgresql, transactions_under_every_fault) { explore({.clients = run_transactions}, 24, 1000); }

TEST(sim_postgresql, concurrent_statements_under_every_fault) { explore({.clients = run_concurrently}, 24, 500); }

TEST(sim_postgresql, cancelling_under_every_fault) {
  explore({.clients = run_cancelling, .connections = 1}, 24, 500);
}

TEST(sim_postgresql, a_refused_tls_request_under_every_fault) {
  explore({.clients = [](setting& with) { return select(with, "first", "SELECT $1"); }, .tls = "prefer"}, 24, 300);
}

}  // namespace
