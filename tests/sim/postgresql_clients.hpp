#pragma once

// What clients of a simulated PostgreSQL server do, and what must hold whatever goes wrong.

#include "sim/simulated_postgresql.hpp"

#include <tare/db.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace tare::testing::postgresql {

using namespace std::chrono_literals;
using db::error_kind;
using db::pool;
using sim::world;

constexpr auto deadline = 5s;

/// One run: the server, the pool, and what may go wrong.
struct setting {
  world& in;
  sim::host& server;
  std::shared_ptr<simulated_postgresql> database;
  pool* connections = nullptr;
  std::string url = {};
  db::pool_options options = {};
  bool may_fail = false;
  int succeeded = 0;
  std::set<std::string> given_up = {};  ///< parameters of statements that may be cancelled

  /// A pool of the database.
  [[nodiscard]] db::result<pool> open_pool() const { return pool::open(url, options); }
  [[nodiscard]] bool expects_success() const { return !may_fail && !in.fault_may_fail(); }
};

/// Within the deadline, a result; otherwise nothing. `extra` is what a call may take to undo its work.
template <class T>
task<std::optional<T>> in_time(setting& with, task<db::result<T>> running, std::chrono::seconds extra = 0s) {
  const auto began = now();
  auto ended = co_await timeout(deadline, std::move(running));
  EXPECT_LT(now() - began, deadline + extra + 300ms) << "the deadline has no effect";
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

inline task<> select(setting& with, std::string name, std::string sql) {
  auto got = co_await in_time(with, with.connections->query_one<std::string>(sql, name));
  if (!got) with.given_up.insert(name);
  if (!got) co_return;
  EXPECT_TRUE(got->has_value());
  if (*got) {
    EXPECT_EQ(**got, name);
  }
}

inline task<db::result<int>> read_series(pool& in, std::string name, int limit) {
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

inline task<> series(setting& with, std::string name) {
  constexpr int all = simulated_postgresql::series_rows;
  const auto whole = co_await in_time(with, read_series(*with.connections, name, all + 1));
  if (whole) {
    EXPECT_EQ(*whole, all);
  }
}

inline task<> insert(setting& with, std::string name) {
  const auto done = co_await in_time(with, with.connections->execute("INSERT $1", name));
  EXPECT_LE(with.database->committed[name], 1);
  if (done) {
    EXPECT_EQ(*done, 1U);
    EXPECT_EQ(with.database->committed[name], 1);
  }
}

inline task<db::result<int>> insert_both(pool& in, std::string one, std::string other) {
  const auto in_transaction = [&](db::transaction& tx) -> task<db::result<int>> {
    const auto first = co_await tx.execute("INSERT $1", one);
    if (!first) co_return std::unexpected(first.error());
    const auto second = co_await tx.execute("INSERT $1", other);
    if (!second) co_return std::unexpected(second.error());
    co_return 2;
  };
  co_return co_await in.transact(in_transaction);
}

/// Both or none, and not twice.
inline void expect_both(setting& with, const std::string& one, const std::string& other, bool succeeded) {
  const int first = with.database->committed[one];
  EXPECT_EQ(first, with.database->committed[other]);
  EXPECT_LE(first, 1);
  if (succeeded) {
    EXPECT_EQ(first, 1);
  }
}

inline task<> transact(setting& with, std::string name) {
  const auto done = co_await in_time(with, insert_both(*with.connections, name + " a", name + " b"), 5s);
  expect_both(with, name + " a", name + " b", done.has_value());
}

inline task<> batch(setting& with, std::string name) {
  db::batch both;
  both.add("INSERT $1", name + " a");
  both.add("INSERT $1", name + " b");
  const auto done = co_await in_time(with, with.connections->execute(std::move(both)));
  expect_both(with, name + " a", name + " b", done.has_value());
  if (done) {
    EXPECT_EQ(done->size(), 2U);
  }
}

inline task<db::result<std::string>> borrow_and_select(pool& in, std::string name) {
  auto held = co_await in.acquire();
  if (!held) co_return std::unexpected(held.error());
  auto script = co_await held->execute_script("SET a = 1; SET b = 2");
  if (!script) co_return std::unexpected(script.error());
  auto got = co_await held->query_one<std::string>("SELECT $1", name);
  if (!got) co_return std::unexpected(got.error());
  co_return got->value_or("nothing");
}

inline task<> borrow(setting& with, std::string name) {
  const auto got = co_await in_time(with, borrow_and_select(*with.connections, name));
  if (got) {
    EXPECT_EQ(*got, name);
  }
}

/// A statement that fails leaves the connection usable.
inline task<> violate(setting& with, std::string name) {
  const auto ended = co_await timeout(deadline, with.connections->execute("FAIL $1", name));
  EXPECT_FALSE(ended && ended->has_value());
  if (with.expects_success()) {
    EXPECT_TRUE(ended.has_value());
    if (ended) {
      EXPECT_EQ(ended->error().kind(), error_kind::constraint);
    }
  }
}

/// Gives a statement up while it runs, and another one while its rows are read.
inline task<> give_up(setting& with, std::string name) {
  with.given_up.insert(name);
  const auto began = now();
  const auto ended = co_await timeout(200ms, with.connections->execute("WAIT $1", name));
  EXPECT_LT(now() - began, 500ms);
  EXPECT_FALSE(ended && ended->has_value());
  const auto some = co_await in_time(with, read_series(*with.connections, name, 1));
  if (some) {
    EXPECT_EQ(*some, 1);
  }
}

// --- what must hold -------------------------------------------------------------------------------------------------

/// Every connection comes back to the pool in time.
inline task<> expect_returned(setting& with) {
  const auto began = now();
  while (with.connections->lent() != 0 && now() - began < 20s) co_await sleep_for(20ms);
  EXPECT_EQ(with.connections->lent(), 0U) << "a connection was lost";
  EXPECT_LT(now() - began, 6s) << "a connection came back late";
  for (const std::string& each : with.database->stopped) {
    EXPECT_TRUE(with.given_up.contains(each)) << "stopped: " << each << ", seed " << with.in.seed();
  }
  EXPECT_EQ(with.database->broken, "");
}

inline task<std::string> select_again(setting& with) {
  auto got = co_await timeout(deadline, with.connections->query_one<std::string>("SELECT $1", "after"));
  if (!got) co_return "not in time";
  if (!*got) co_return got->error().message();
  co_return (*got)->value_or("nothing");
}

/// After the fault is over, the pool works again by itself.
inline task<> expect_recovery(setting& with) {
  std::string last;
  for (int attempts = 0; attempts < 10; ++attempts) {
    with.in.heal();
    if (!with.database->listens) with.server.spawn(simulated_postgresql::serve(with.database));
    last = co_await select_again(with);
    if (last == "after") break;
    co_await sleep_for(1s);
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

inline task<> play(world& w, const plan& chosen) {
  auto database = std::make_shared<simulated_postgresql>();
  chosen.prepare(*database);
  auto& server = w.add_host("database");
  server.spawn(simulated_postgresql::serve(database));
  co_await sleep_for(1ms);
  setting with{.in = w, .server = server, .database = database, .may_fail = chosen.may_fail};
  with.url = std::string("postgresql://user:secret@database/items?gssencmode=disable&sslmode=") + chosen.tls;
  with.options.connections = chosen.connections;
  with.options.connect_limit = 3s;
  auto opened = with.open_pool();
  EXPECT_TRUE(opened.has_value());
  if (!opened) co_return;
  with.connections = &*opened;
  co_await chosen.clients(with);
  co_await expect_returned(with);
  co_await expect_recovery(with);
  co_await expect_returned(with);
  co_await opened->close();
}

}  // namespace tare::testing::postgresql
