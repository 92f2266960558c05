// What is specific to PostgreSQL: its types, the network, and a server that stops and starts.

#include "db/backend.hpp"
#include "db/postgresql_backend.hpp"

#include <tare/db.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using db_test::backend;
using db_test::must;
using db_test::server;
using tare::task;
using tare::db::error_kind;
using tare::db::pool;
using tare::db::result;

TEST(db_postgresql, types_of_its_own_come_as_text) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on);
    auto all =
        must(co_await in.query("SELECT 12.50::numeric AS n, DATE '2024-02-29', '{\"a\": 1}'::jsonb, "
                               "ARRAY[1,2], 'Infinity'::float8, 1::int2, 'x'::varchar, sum(7::bigint)"));
    auto found = must(co_await all.next());
    EXPECT_TRUE(found);
    if (!found) co_return;
    const tare::db::row& row = *found;
    EXPECT_EQ(row.get<std::string>("n"), "12.50");
    EXPECT_EQ(row.get<double>("n"), 12.5);
    EXPECT_EQ(row.get<std::string>(1), "2024-02-29");
    EXPECT_EQ(row.get<std::string>(2), "{\"a\": 1}");
    EXPECT_EQ(row.get<std::string>(3), "{1,2}");
    EXPECT_EQ(row.get<double>(4), std::numeric_limits<double>::infinity());
    EXPECT_EQ(row.get<int>(5), 1);
    EXPECT_EQ(row.get<std::string>(6), "x");
    EXPECT_EQ(row.get<std::int64_t>(7), 7);  // numeric, but with integer values only
  };
  tare::run(body());
}

TEST(db_postgresql, values_take_the_type_of_their_place) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on);
    must(co_await in.execute("CREATE TABLE t (d DATE, j JSONB, u UUID, s SMALLINT, n NUMERIC)"));
    must(co_await in.execute("INSERT INTO t VALUES ($1, $2, $3, $4, $5)", "2024-02-29", "[1]",
                             "00000000-0000-0000-0000-000000000001", 7, "1.10"));
    EXPECT_EQ(must(co_await in.query_one<std::string>("SELECT n FROM t WHERE d = $1 LIMIT $2", "2024-02-29", 5)),
              "1.10");
    EXPECT_EQ((co_await in.execute("INSERT INTO t (s) VALUES ($1)", 70'000)).error().kind(), error_kind::data);
    EXPECT_EQ((co_await in.execute("INSERT INTO t (d) VALUES ($1)", "yesterdayish")).error().kind(), error_kind::data);
    EXPECT_EQ((co_await in.query("SELECT 1 / $1::int", 0)).error().code(), "22012");
    using namespace std::string_view_literals;
    EXPECT_EQ((co_await in.query("SELECT $1::text", "a\0b"sv)).error().kind(), error_kind::data);
    EXPECT_EQ((co_await in.query("SELECT $1::text", "\xff")).error().kind(), error_kind::data);
  };
  tare::run(body());
}

TEST(db_postgresql, rows_without_columns_and_results_without_rows) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on);
    auto none = must(co_await in.query("SELECT FROM generate_series(1, 3)"));
    int count = 0;
    while (auto row = must(co_await none.next())) {
      EXPECT_EQ(row->size(), 0U);
      ++count;
    }
    EXPECT_EQ(count, 3);
    auto nothing = must(co_await in.query("CREATE TABLE t (i INT)"));
    EXPECT_TRUE(nothing.columns().empty());
    EXPECT_FALSE(must(co_await nothing.next()));
  };
  tare::run(body());
}

TEST(db_postgresql, copy_is_refused_and_the_pool_goes_on) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on, {.connections = 1});
    must(co_await in.execute("CREATE TABLE t (i INT)"));
    EXPECT_EQ((co_await in.execute("COPY t FROM STDIN")).error().kind(), error_kind::syntax);
    EXPECT_EQ((co_await in.execute_script("SELECT 1; COPY t TO STDOUT")).error().kind(), error_kind::syntax);
    EXPECT_EQ(must(co_await in.query_one<int>("SELECT 1")), 1);
  };
  tare::run(body());
}

TEST(db_postgresql, a_large_value_goes_both_ways) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on, {.connections = 1});
    const std::string large(20'000'000, 'x');
    EXPECT_EQ(must(co_await in.query_one<std::string>("SELECT $1::text", large)), large);
    // Responses that arrive while statements are still being sent.
    tare::db::batch many;
    for (int i = 0; i < 2000; ++i) many.add("SELECT $1::text", std::string(10'000, 'y'));
    EXPECT_EQ(must(co_await in.execute(std::move(many))).size(), 2000U);
    EXPECT_EQ(must(co_await in.query_one<int>("SELECT 1")), 1);
  };
  tare::run(body());
}

TEST(db_postgresql, through_tcp_and_by_name) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = must(pool::open(server().tcp_uri("postgres")));
    EXPECT_EQ(must(co_await in.query_one<int>("SELECT 1")), 1);
    pool unknown = must(pool::open(server().tcp_uri("nowhere")));
    const auto refused = co_await unknown.query("SELECT 1");
    EXPECT_EQ(refused.error().kind(), error_kind::denied);
    EXPECT_EQ(refused.error().code(), "3D000");
  };
  tare::run(body());
}

TEST(db_postgresql, a_uri_that_cannot_be_read_is_refused_without_telling_the_password) {
  auto made = pool::open("postgresql://me:secret@host/db?nonsense=1");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind(), error_kind::syntax);
  EXPECT_EQ(made.error().message().find("secret"), std::string::npos);
  EXPECT_NE(made.error().message().find("nonsense"), std::string::npos);
}

TEST(db_postgresql, deadlocks_and_conflicts_are_busy) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on);
    must(co_await in.execute("CREATE TABLE t (id INT PRIMARY KEY, n INT)"));
    must(co_await in.execute("INSERT INTO t VALUES (1, 0), (2, 0)"));
    auto one = must(co_await in.begin({.level = tare::db::isolation::serializable}));
    auto other = must(co_await in.begin({.level = tare::db::isolation::serializable}));
    for (auto* each : {&one, &other}) {
      EXPECT_EQ(must(co_await each->query_one<std::int64_t>("SELECT sum(n) FROM t")), 0);
    }
    must(co_await one.execute("UPDATE t SET n = 1 WHERE id = 1"));
    must(co_await other.execute("UPDATE t SET n = 1 WHERE id = 2"));
    must(co_await one.commit());
    auto done = co_await other.commit();
    EXPECT_FALSE(done);
    EXPECT_EQ(done.error().kind(), error_kind::busy);
    EXPECT_EQ(must(co_await in.query_one<std::int64_t>("SELECT sum(n) FROM t")), 1);
  };
  tare::run(body());
}

TEST(db_postgresql, a_query_that_an_administrator_stops_is_cancelled_and_no_more) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on, {.connections = 2});
    must(co_await in.execute_script("SET statement_timeout = 50"));
    auto slow = co_await in.query("SELECT pg_sleep(60)");
    EXPECT_FALSE(slow);
    EXPECT_EQ(slow.error().kind(), error_kind::cancelled);
  };
  tare::run(body());
}

TEST(db_postgresql, a_cancelled_query_leaves_no_query_behind) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on, {.connections = 1});
    EXPECT_FALSE(co_await tare::timeout(50ms, in.query("SELECT pg_sleep(3600)")));
    EXPECT_EQ(must(co_await in.query_one<std::int64_t>(
                  "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)' AND state = 'active'")),
              0);
  };
  tare::run(body());
}

TEST(db_postgresql, prepared_statements_that_are_gone_are_made_again) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on, {.connections = 1});
    EXPECT_EQ(must(co_await in.query_one<int>("SELECT 1 + $1::int", 1)), 2);
    must(co_await in.execute("DISCARD ALL"));
    EXPECT_EQ(must(co_await in.query_one<int>("SELECT 1 + $1::int", 2)), 3);
  };
  tare::run(body());
}

TEST(db_postgresql, a_statement_that_is_gone_does_not_spoil_the_next_one) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on, {.connections = 1, .cached_statements = 2});
    must(co_await in.execute("SELECT 1"));
    must(co_await in.execute("SELECT 2"));
    must(co_await in.execute_script("DEALLOCATE ALL"));
    for (int i = 3; i < 8; ++i) {
      EXPECT_EQ(must(co_await in.query_one<int>("SELECT " + std::to_string(i))), i);
    }
    // And none is left behind, even if some statements fail.
    for (int i = 0; i < 20; ++i) {
      (void)co_await in.execute("SELECT 1 / (" + std::to_string(i) + " % 2)");
      tare::db::batch both;
      both.add("SELECT " + std::to_string(100 + i));
      both.add("SELECT 1 / 0");
      (void)co_await in.execute(std::move(both));
    }
    EXPECT_LE(must(co_await in.query_one<std::int64_t>("SELECT count(*) FROM pg_prepared_statements")), 4);
  };
  tare::run(body());
}

TEST(db_postgresql, an_acquired_connection_leaves_nothing_to_the_next_borrower) {
  const backend on;
  auto body = [&]() -> task<> {
    for (const bool resets : {true, false}) {
      pool in = db_test::open(on, {.connections = 1, .reset_connections = resets});
      int first = 0;
      {
        auto mine = must(co_await in.acquire());
        first = must(co_await mine.query_one<int>("SELECT pg_backend_pid()")).value();
        must(
            co_await mine.execute_script("CREATE TEMP TABLE mine (i INT); SET TimeZone TO 'Asia/Tokyo'; LISTEN news; "
                                         "SELECT pg_advisory_lock(7)"));
      }
      auto next = must(co_await in.acquire());
      EXPECT_EQ(must(co_await next.query_one<int>("SELECT pg_backend_pid()")), first);
      EXPECT_EQ(must(co_await next.query_one<bool>("SELECT current_setting('TimeZone') = 'Asia/Tokyo'")), !resets);
      EXPECT_EQ(must(co_await next.query_one<bool>("SELECT to_regclass('pg_temp.mine') IS NOT NULL")), !resets);
      EXPECT_EQ(must(co_await next.query_one<std::int64_t>("SELECT count(*) FROM pg_listening_channels()")),
                resets ? 0 : 1);
      EXPECT_EQ(must(co_await next.query_one<std::int64_t>(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")),
                resets ? 0 : 1);
    }
  };
  tare::run(body());
}

TEST(db_postgresql, notices_are_not_printed) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on, {.connections = 1});
    testing::internal::CaptureStderr();
    must(co_await in.execute_script("DO $$ BEGIN RAISE NOTICE 'by the way'; END $$"));
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  };
  tare::run(body());
}

TEST(db_postgresql_faults, a_server_that_is_down_is_unavailable_and_then_it_works) {
  const backend on;
  server().stop();
  auto body = [&]() -> task<> {
    pool in = db_test::open(on);
    for (int i = 0; i < 20; ++i) {
      auto refused = co_await in.query("SELECT 1");
      EXPECT_FALSE(refused);
      EXPECT_EQ(refused.error().kind(), error_kind::unavailable);
    }
    co_await tare::offload([] { (void)server(); });
    for (int tries = 0; tries < 200; ++tries) {
      auto asked = co_await in.query_one<int>("SELECT 1");
      if (asked) co_return;
      EXPECT_EQ(asked.error().kind(), error_kind::unavailable);
      co_await tare::sleep_for(20ms);
    }
    ADD_FAILURE() << "it did not recover";
  };
  tare::run(body());
}

/// The result of a query during which the server ends.
task<result<tare::db::rows>> query_while(pool& in, void (support::postgresql_server::*end)()) {
  std::optional<result<tare::db::rows>> answer;
  auto ask = [&]() -> task<> { answer.emplace(co_await in.query("SELECT pg_sleep(60)")); };
  auto strike = [&]() -> task<> {
    co_await tare::sleep_for(100ms);
    co_await tare::offload([&] { (server().*end)(); });
  };
  co_await tare::when_all(ask(), strike());
  co_return std::move(answer).value();
}

TEST(db_postgresql_faults, a_server_that_goes_away_in_the_middle_of_a_query) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on, {.connections = 3});
    must(co_await in.execute("CREATE TABLE t (i INT)"));
    for (auto end : {&support::postgresql_server::stop, &support::postgresql_server::crash}) {
      // One connection is idle, one has a transaction, and one waits for a response.
      auto tx = must(co_await in.begin());
      must(co_await tx.execute("INSERT INTO t VALUES (1)"));
      auto answer = co_await query_while(in, end);
      EXPECT_FALSE(answer);
      EXPECT_EQ(answer.error().kind(), error_kind::unavailable) << answer.error().message();
      EXPECT_EQ((co_await tx.execute("INSERT INTO t VALUES (2)")).error().kind(), error_kind::unavailable);
      EXPECT_EQ((co_await tx.commit()).error().kind(), error_kind::unavailable);

      co_await tare::offload([] { (void)server(); });
      // The idle connections have been closed by the server, which has not been noticed yet.
      bool works = false;
      for (int tries = 0; tries < 200 && !works; ++tries) {
        auto asked = co_await in.query_one<std::int64_t>("SELECT count(*) FROM t");
        works = asked.has_value();
        if (works) {
          EXPECT_EQ(**asked, 0);
        } else {
          EXPECT_EQ(asked.error().kind(), error_kind::unavailable) << asked.error().message();
          co_await tare::sleep_for(20ms);
        }
      }
      EXPECT_TRUE(works);
    }
  };
  tare::run(body());
}

TEST(db_postgresql_faults, connections_that_died_while_they_rested_are_replaced_unnoticed) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on, {.connections = 4});
    {
      std::vector<tare::db::connection> all;
      for (int i = 0; i < 4; ++i) all.push_back(must(co_await in.acquire()));
      for (auto& each : all) must(co_await each.execute("SELECT 1"));
    }
    co_await tare::offload([] {
      server().crash();
      (void)server();
    });
    for (int i = 0; i < 8; ++i) must(co_await in.execute("SELECT 1"));
  };
  tare::run(body());
}

TEST(db_postgresql_faults, a_connection_that_an_administrator_ends) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on, {.connections = 2});
    auto mine = must(co_await in.acquire());
    const int pid = must(co_await mine.query_one<int>("SELECT pg_backend_pid()")).value();
    must(co_await in.execute("SELECT pg_terminate_backend($1)", pid));
    auto after = co_await mine.execute("SELECT 1");
    EXPECT_FALSE(after);
    EXPECT_EQ(after.error().kind(), error_kind::unavailable);
    EXPECT_EQ((co_await mine.execute("SELECT 1")).error().kind(), error_kind::unavailable);
    EXPECT_EQ(must(co_await in.query_one<int>("SELECT 1")), 1);
  };
  tare::run(body());
}

TEST(db_postgresql_faults, too_many_connections_for_the_server) {
  const backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on, {.connections = 80});
    std::vector<tare::db::connection> all;
    error_kind last = error_kind::other;
    for (int i = 0; i < 80; ++i) {
      auto one = co_await in.acquire();
      if (!one) {
        last = one.error().kind();
        break;
      }
      all.push_back(*std::move(one));
    }
    EXPECT_EQ(last, error_kind::unavailable);
    EXPECT_GT(all.size(), 20U);
    must(co_await all.front().execute("SELECT 1"));
  };
  tare::run(body());
}

}  // namespace
