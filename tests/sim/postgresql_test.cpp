// The client of PostgreSQL and its pool, with libpq as it is, against a server that misbehaves: under every single
// fault, at each message, and under many seeds.

#include "sim/simulated_postgresql.hpp"

#include <tare/db.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <set>
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
  std::set<std::string> given_up = {};  ///< parameters of statements that may be cancelled

  [[nodiscard]] bool expects_success() const { return !may_fail && !in.fault_may_fail(); }
};

/// Within the deadline, a result; otherwise nothing. `extra` is what a call may take to undo its work.
template <class T>
task<std::optional<T>> in_time(setting& with, task<tare::db::result<T>> running, std::chrono::seconds extra = 0s) {
  const auto began = tare::now();
  auto ended = co_await tare::timeout(deadline, std::move(running));
  EXPECT_LT(tare::now() - began, deadline + extra + 300ms) << "the deadline has no effect";
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
  if (!got) with.given_up.insert(name);
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
  const auto done = co_await in_time(with, insert_both(*with.connections, name + " a", name + " b"), 5s);
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
  with.given_up.insert(name);
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
    EXPECT_TRUE(with.given_up.contains(each)) << "stopped: " << each << ", seed " << with.in.seed();
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
  std::string last;
  for (int attempts = 0; attempts < 10; ++attempts) {
    with.in.heal();
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
  auto opened = pool::open(
      std::string("postgresql://user:secret@database/items?gssencmode=disable&sslmode=") + chosen.tls, options);
  EXPECT_TRUE(opened.has_value());
  if (!opened) co_return;
  setting with{.in = w, .server = server, .database = database, .connections = &*opened, .may_fail = chosen.may_fail};
  co_await chosen.clients(with);
  co_await expect_returned(with);
  co_await expect_recovery(with);
  co_await expect_returned(with);
  co_await opened->close();
}

/// libpq initializes itself once per process, which takes steps.
void initialize_libpq() {
  const plan once{.clients = [](setting& with) { return select(with, "first", "SELECT $1"); }, .tls = "prefer"};
  tare::sim::run({.twice = false}, [&](world& w) { return play(w, once); });
}

class sim_postgresql : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { initialize_libpq(); }
};

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

TEST_F(sim_postgresql, statements_under_every_fault) { explore({.clients = run_statements}, 64, 1000); }

TEST_F(sim_postgresql, transactions_under_every_fault) { explore({.clients = run_transactions}, 24, 1000); }

TEST_F(sim_postgresql, concurrent_statements_under_every_fault) { explore({.clients = run_concurrently}, 24, 500); }

TEST_F(sim_postgresql, cancelling_under_every_fault) {
  explore({.clients = run_cancelling, .connections = 1}, 24, 500);
}

TEST_F(sim_postgresql, a_refused_tls_request_under_every_fault) {
  explore({.clients = [](setting& with) { return select(with, "first", "SELECT $1"); }, .tls = "prefer"}, 24, 300);
}

/// So much that the link cannot take it at once.
task<> run_large(setting& with) {
  with.in.set_link(with.in.here(), with.server, {.buffer_bytes = 4000});
  const std::string large(9000, 'x');
  co_await select(with, large, "SELECT $1");
  tare::db::batch many;
  for (int i = 0; i < 130; ++i) many.add("SELECT $1", std::string(100, 'y'));
  const auto done = co_await in_time(with, with.connections->execute(std::move(many)));
  if (done) {
    EXPECT_EQ(done->size(), 130U);
  }
}

TEST_F(sim_postgresql, statements_that_are_larger_than_buffers_under_every_fault) {
  explore({.clients = run_large}, 2, 300);
}

// --- each misdeed at each message -----------------------------------------------------------------------------------

task<> one_after_another(setting& with, std::string prefix) {
  co_await select(with, prefix + "first", "SELECT $1");
  co_await insert(with, prefix + "second");
  co_await violate(with, prefix + "third");
  co_await series(with, prefix + "fourth");
  co_await transact(with, prefix + "fifth");
  co_await batch(with, prefix + "sixth");
  co_await borrow(with, prefix + "seventh");
  co_await select(with, prefix + "eighth", "SLOW $1");
}

task<> two_clients(setting& with) {
  co_await tare::when_all(one_after_another(with, "one "), one_after_another(with, "other "));
}

[[nodiscard]] bool must_succeed(misdeed planned) { return planned == misdeed::in_pieces || planned == misdeed::chatty; }

/// Returns how many messages the server has sent.
int play_misdeed(misdeed planned, int at_message, std::uint64_t seed) {
  int messages = 0;
  plan chosen{.clients = two_clients, .may_fail = !must_succeed(planned)};
  chosen.prepare = [&](simulated_postgresql& server) {
    server.planned = planned;
    server.at_message = at_message;
  };
  part counted = [&](setting& with) -> task<> {
    co_await two_clients(with);
    messages = with.database->messages;
    EXPECT_GT(with.succeeded, 4) << "one message makes everything fail";
  };
  chosen.clients = counted;
  tare::sim::run({.seed = seed, .twice = false}, [&](world& w) { return play(w, chosen); });
  return messages;
}

class sim_postgresql_misdeed : public ::testing::TestWithParam<std::size_t> {};

TEST_P(sim_postgresql_misdeed, at_each_message) {
  ::testing::internal::CaptureStderr();
  int at_message = 1;
  for (; at_message < 1000; ++at_message) {
    SCOPED_TRACE("at message " + std::to_string(at_message));
    const int messages =
        play_misdeed(static_cast<misdeed>(GetParam()), at_message, static_cast<std::uint64_t>(at_message));
    if (HasFailure() || messages < at_message) break;
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "") << "libpq prints what the server says";
  EXPECT_GT(at_message, 100);
  EXPECT_LT(at_message, 1000);
}

INSTANTIATE_TEST_SUITE_P(all, sim_postgresql_misdeed,
                         ::testing::Range(std::size_t{0}, tare::testing::misdeed_names.size()),
                         [](const auto& made) { return std::string(tare::testing::misdeed_names.at(made.param)); });

// --- cancelling -----------------------------------------------------------------------------------------------------

task<> give_up_many_times(setting& with, std::string prefix) {
  for (int i = 0; i < 3; ++i) {
    co_await give_up(with, "given up by " + prefix + std::to_string(i));
    co_await select(with, prefix + std::to_string(i), "SLOW $1");
  }
}

task<> cancel_and_go_on(setting& with) {
  co_await tare::when_all(give_up_many_times(with, "one "), give_up_many_times(with, "other "));
  co_await expect_returned(with);
  EXPECT_GT(with.database->cancels, 0) << "nothing was cancelled";
}

TEST_F(sim_postgresql, cancelling_ends_whatever_the_server_does_with_the_request) {
  for (std::size_t manner = 0; manner < tare::testing::cancel_manners; ++manner) {
    SCOPED_TRACE("manner " + std::to_string(manner));
    plan chosen{.clients = cancel_and_go_on, .may_fail = manner > 0};
    chosen.prepare = [&](simulated_postgresql& server) {
      server.on_cancel = static_cast<tare::testing::cancel_manner>(manner);
    };
    tare::sim::run_seeds(30, {.seed = 1 + 100 * manner}, [&](world& w) { return play(w, chosen); });
  }
}

// --- many seeds -----------------------------------------------------------------------------------------------------

task<> crash_and_restart(setting& with) {
  with.server.crash();
  co_await tare::sleep_for(std::chrono::milliseconds(with.in.random_below(4000)));
  with.server.restart();
  auto fresh = std::make_shared<simulated_postgresql>();
  fresh->committed = with.database->committed;
  fresh->secret = with.database->secret + 1;
  with.database = std::move(fresh);
  with.server.spawn(simulated_postgresql::serve(with.database));
}

task<> disturb(setting& with) {
  world& w = with.in;
  for (int i = 0; i < 4; ++i) {
    co_await tare::sleep_for(std::chrono::microseconds(w.random_below(20'000)));
    switch (w.random_below(6)) {
      case 0:
        w.reset_connections(w.here(), with.server);
        break;
      case 1:
        w.partition(w.here(), with.server);
        co_await tare::sleep_for(std::chrono::milliseconds(w.random_below(20'000)));
        w.heal();
        break;
      case 2:
        w.partition_one_way(with.server, w.here());
        co_await tare::sleep_for(std::chrono::milliseconds(w.random_below(4000)));
        w.heal();
        break;
      case 3:
        co_await crash_and_restart(with);
        break;
      case 4:
        with.server.limit_descriptors(with.server.open_descriptors() + w.random_below(2));
        co_await tare::sleep_for(std::chrono::milliseconds(w.random_below(100)));
        with.server.limit_descriptors(1000);
        break;
      default:
        with.database->planned = static_cast<misdeed>(w.random_below(tare::testing::misdeed_names.size()));
        with.database->at_message = with.database->messages + 1 + static_cast<int>(w.random_below(60));
        break;
    }
  }
}

task<> clients_and_disturbances(setting& with) {
  co_await tare::when_all(one_after_another(with, "one "), one_after_another(with, "two "),
                          give_up_many_times(with, "three "), disturb(with));
}

TEST_F(sim_postgresql, the_pool_survives_crashes_partitions_and_resets_in_many_seeds) {
  const plan chosen{.clients = clients_and_disturbances, .connections = 3, .may_fail = true};
  tare::sim::run_seeds(400, {}, [&](world& w) { return play(w, chosen); });
}

}  // namespace
