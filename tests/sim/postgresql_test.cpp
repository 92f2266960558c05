// The client of PostgreSQL and its pool, with libpq as it is, against a server that misbehaves: under every single
// fault, at each message, and under many seeds.

#include "sim/explored_postgresql.hpp"
#include "sim/postgresql_clients.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

namespace {

using namespace tare::testing::postgresql;  // NOLINT(google-build-using-namespace): the helpers of these tests
using tare::task;
using tare::testing::misdeed;
using tare::testing::simulated_postgresql;

using sim_postgresql = explored_postgresql;

// --- every single fault ---------------------------------------------------------------------------------------------

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

TEST_F(sim_postgresql, statements_under_every_fault) { explore({.clients = run_statements}, 40, 1000); }

TEST_F(sim_postgresql, transactions_under_every_fault) { explore({.clients = run_transactions}, 16, 1000); }

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

/// Gives statements up while they are being sent.
task<> give_up_large(setting& with) {
  with.in.set_link(with.in.here(), with.server, {.bytes_per_second = 20'000, .buffer_bytes = 4000});
  const std::string large(20'000, 'x');
  const auto one = co_await tare::timeout(200ms, with.connections->execute("INSERT $1", large));
  EXPECT_FALSE(one && one->has_value());
  tare::db::batch both;
  both.add("INSERT $1", large + " a");
  both.add("INSERT $1", large + " b");
  const auto two = co_await tare::timeout(200ms, with.connections->execute(std::move(both)));
  EXPECT_FALSE(two && two->has_value());
  EXPECT_EQ(with.database->committed[large + " a"], with.database->committed[large + " b"]);
}

TEST_F(sim_postgresql, statements_given_up_while_they_are_sent_under_every_fault) {
  explore({.clients = give_up_large}, 2, 200);
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
