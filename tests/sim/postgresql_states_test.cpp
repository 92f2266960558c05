// Connections and transactions of PostgreSQL in the states between two statements, under every single fault: rows that
// were not read, statements that failed or were given up, a commit that is refused, a pool that is closed.

#include "sim/explored_postgresql.hpp"
#include "sim/postgresql_clients.hpp"

#include <chrono>
#include <expected>
#include <string>
#include <utility>

namespace {

using namespace tare::testing::postgresql;  // NOLINT(google-build-using-namespace): the helpers of these tests
using tare::task;
using tare::testing::simulated_postgresql;

namespace db = tare::db;

using sim_postgresql_states = explored_postgresql;

// --- transactions ---------------------------------------------------------------------------------------------------

/// Reads the first of several rows, and drops the others.
task<db::result<void>> read_one_row(db::transaction& tx, const std::string& name) {
  auto all = co_await tx.query("SERIES $1", name);
  if (!all) co_return std::unexpected(all.error());
  auto row = co_await all->next();
  if (!row) co_return std::unexpected(row.error());
  EXPECT_TRUE(row->has_value());
  co_return db::result<void>();
}

task<db::result<int>> insert_between_unread_rows(pool& in, std::string name) {
  auto tx = co_await in.begin();
  if (!tx) co_return std::unexpected(tx.error());
  auto before = co_await read_one_row(*tx, name);
  if (!before) co_return std::unexpected(before.error());
  const auto done = co_await tx->execute("INSERT $1", name);
  if (!done) co_return std::unexpected(done.error());
  auto after = co_await read_one_row(*tx, name);
  if (!after) co_return std::unexpected(after.error());
  auto committed = co_await tx->commit();
  if (!committed) co_return std::unexpected(committed.error());
  co_return 1;
}

task<> leave_rows_unread(setting& with) {
  with.in.set_link(with.in.here(), with.server, {.buffer_bytes = 4000});
  const std::string name = "between";  // a temporary in the call would be destroyed twice by g++ 12
  const auto done = co_await in_time(with, insert_between_unread_rows(*with.connections, name), 5s);
  EXPECT_LE(with.database->committed[name], 1);
  if (done) {
    EXPECT_EQ(with.database->committed[name], 1);
  }
}

/// The body ends with an error of its own.
task<> fail_in_body(setting& with, std::string name) {
  const auto body = [&](db::transaction& tx) -> task<db::result<int>> {
    const auto first = co_await tx.execute("INSERT $1", name);
    if (!first) co_return std::unexpected(first.error());
    co_return std::unexpected(db::error(error_kind::other, "", "on second thoughts"));
  };
  const auto ended = co_await tare::timeout(deadline, with.connections->transact(body));
  EXPECT_FALSE(ended && ended->has_value());
  EXPECT_EQ(with.database->committed[name], 0);
}

task<db::result<void>> insert_and_fail(pool& in, std::string name, bool commits) {
  auto tx = co_await in.begin();
  if (!tx) co_return std::unexpected(tx.error());
  const auto done = co_await tx->execute("INSERT $1", name);
  if (!done) co_return std::unexpected(done.error());
  const auto failed = co_await tx->execute("FAIL $1", name);
  EXPECT_FALSE(failed.has_value());
  if (commits) co_return co_await tx->commit();
  co_return co_await tx->rollback();
}

/// A commit after a failed statement, and one that the server refuses, leave nothing; nor does a rollback.
task<> fail_to_commit(setting& with, std::string name) {
  const auto refused = co_await tare::timeout(deadline, insert_and_fail(*with.connections, name, true));
  EXPECT_FALSE(refused && refused->has_value());
  const auto rolled_back = co_await tare::timeout(deadline, insert_and_fail(*with.connections, name, false));
  EXPECT_TRUE((rolled_back && rolled_back->has_value()) || !with.expects_success());
  EXPECT_EQ(with.database->committed[name], 0);

  const std::string deferred = std::string(simulated_postgresql::refused_at_commit) + name;
  const auto ended = co_await tare::timeout(deadline, insert_both(*with.connections, name, deferred));
  EXPECT_FALSE(ended && ended->has_value());
  EXPECT_EQ(with.database->committed[name], 0);
}

TEST_F(sim_postgresql_states, unread_rows_in_a_transaction_under_every_fault) {
  explore({.clients = leave_rows_unread}, 8, 300);
}

TEST_F(sim_postgresql_states, transactions_that_fail_under_every_fault) {
  explore({.clients = [](setting& with) -> task<> {
            co_await fail_in_body(with, "first");
            co_await fail_to_commit(with, "second");
          }},
          8, 300);
}

// --- connections ----------------------------------------------------------------------------------------------------

task<db::result<std::string>> go_on_after_giving_up(setting& with, std::string name) {
  auto held = co_await with.connections->acquire();
  if (!held) co_return std::unexpected(held.error());
  with.given_up.insert(name);
  const auto ended = co_await tare::timeout(200ms, held->execute("WAIT $1", name));
  EXPECT_FALSE(ended && ended->has_value());
  // Of several rows, so the others are stopped.
  auto got = co_await held->query_one<std::string>("SERIES $1", name);
  if (!got) co_return std::unexpected(got.error());
  co_return got->value_or("nothing");
}

/// The first of two rows, each larger than what is read at once.
task<db::result<std::string>> first_of_large(pool& in, std::string large) {
  auto held = co_await in.acquire();
  if (!held) co_return std::unexpected(held.error());
  auto got = co_await held->query_one<std::string>("PAUSED $1", large);
  if (!got) co_return std::unexpected(got.error());
  co_return got->value_or("nothing");
}

task<> give_up_on_a_connection(setting& with) {
  const std::string large(20'000, 'x');
  const auto whole = co_await in_time(with, first_of_large(*with.connections, large));
  EXPECT_EQ(whole.value_or(large), large);
  const std::string name = "given up";
  const auto got = co_await in_time(with, go_on_after_giving_up(with, name));
  if (got) {
    EXPECT_EQ(*got, simulated_postgresql::series_row(name, 0));
  }
}

/// More than the pool sends requests to cancel at once.
task<> give_up_all_at_once(setting& with) {
  co_await tare::with_scope([&](tare::scope& s) -> task<> {
    for (int i = 0; i < 6; ++i) s.spawn(give_up(with, "given up " + std::to_string(i)));
    co_return;
  });
}

task<db::result<std::string>> hold(pool& in, std::chrono::milliseconds time) {
  auto held = co_await in.acquire();
  if (!held) co_return std::unexpected(held.error());
  co_await tare::sleep_for(time);
  auto got = co_await held->query_one<std::string>("SELECT $1", "held");
  if (!got) co_return std::unexpected(got.error());
  co_return got->value_or("nothing");
}

task<> hold_in_turn(setting& with) {
  const auto hold_once = [&]() -> task<> {
    const auto got = co_await in_time(with, hold(*with.connections, 20ms));
    EXPECT_EQ(got.value_or("held"), "held");
  };
  co_await tare::when_all(hold_once(), hold_once());
}

/// Closing waits for the connection that is lent, and for nothing else; who comes later is refused.
task<> close_while_lent(setting& with) {
  auto own = with.open_pool();
  EXPECT_TRUE(own.has_value());
  if (!own) co_return;
  const auto close_soon = [&]() -> task<> {
    co_await tare::sleep_for(5ms);
    const auto closed = co_await tare::timeout(2 * deadline + 1s, own->close());
    EXPECT_TRUE(closed.has_value());
    EXPECT_EQ(own->lent(), 0U);
  };
  const auto hold_it = [&]() -> task<> {
    const auto got = co_await in_time(with, hold(*own, 50ms));
    EXPECT_EQ(got.value_or("held"), "held");
  };
  co_await tare::when_all(hold_it(), close_soon());
  const auto refused = co_await own->execute("INSERT $1", "late");
  EXPECT_FALSE(refused.has_value());
  EXPECT_EQ(with.database->committed["late"], 0);
}

TEST_F(sim_postgresql_states, giving_up_on_a_held_connection_under_every_fault) {
  explore({.clients = give_up_on_a_connection, .connections = 1}, 8, 300);
}

TEST_F(sim_postgresql_states, many_statements_given_up_at_once_under_every_fault) {
  explore({.clients = give_up_all_at_once, .connections = 6}, 1, 300);
}

TEST_F(sim_postgresql_states, waiting_for_a_connection_under_every_fault) {
  explore({.clients = hold_in_turn, .connections = 1}, 8, 200);
}

TEST_F(sim_postgresql_states, closing_a_pool_whose_connection_is_lent_under_every_fault) {
  explore({.clients = close_while_lent}, 8, 200);
}

}  // namespace
