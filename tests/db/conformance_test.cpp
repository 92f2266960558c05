// What every database must do. The program that this is linked into decides which one is tested.

#include "db/backend.hpp"

#include <tare/db.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using db_test::backend;
using db_test::count_items;
using db_test::make_items;
using db_test::must;
using tare::task;
using tare::db::error_kind;
using tare::db::pool;

class db : public testing::Test {
 protected:
  backend on_;
};

TEST_F(db, values_come_back_as_they_were) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_);
    must(co_await in.execute(
        "CREATE TABLE kinds (i BIGINT, r DOUBLE PRECISION, b BOOLEAN, t TEXT, x BYTEA, missing TEXT)"));
    std::vector<std::byte> blob;
    for (int i = 0; i < 256; ++i) blob.push_back(static_cast<std::byte>(i));
    EXPECT_EQ(must(co_await in.execute("INSERT INTO kinds VALUES ($1, $2, $3, $4, $5, $6)",
                                       std::numeric_limits<std::int64_t>::min(), 0.1, true, "héllo 'x' \\ \n", blob,
                                       std::nullopt)),
              1U);
    auto all = must(co_await in.query("SELECT * FROM kinds"));
    EXPECT_EQ(all.columns(), (std::vector<std::string>{"i", "r", "b", "t", "x", "missing"}));
    auto found = must(co_await all.next());
    EXPECT_TRUE(found.has_value());
    if (!found) co_return;
    const tare::db::row& row = *found;
    EXPECT_EQ(row.size(), 6U);
    EXPECT_EQ(row.get<std::int64_t>(0), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(row.get<double>("r"), 0.1);
    EXPECT_TRUE(row.get<bool>("b"));
    EXPECT_EQ(row.get<std::string>(3), "héllo 'x' \\ \n");
    EXPECT_EQ(row.get<std::vector<std::byte>>(4), blob);
    EXPECT_EQ(row.get<std::span<const std::byte>>(4).size(), 256U);
    EXPECT_TRUE(row.is_null(5));
    EXPECT_EQ(row.get<std::optional<std::string>>(5), std::nullopt);
    EXPECT_EQ(row.get<std::optional<std::string_view>>(3), "héllo 'x' \\ \n");

    EXPECT_THROW((void)row.get<int>(0), tare::db::column_error);
    EXPECT_THROW((void)row.get<std::string>(5), tare::db::column_error);
    EXPECT_THROW((void)row.get<int>(6), std::out_of_range);
    EXPECT_THROW((void)row.get<int>("nowhere"), std::out_of_range);
    const auto wrong = row.try_get<std::int64_t>("t");
    EXPECT_FALSE(wrong);
    EXPECT_EQ(wrong.error().kind(), error_kind::data);

    EXPECT_FALSE(must(co_await all.next()));
    EXPECT_FALSE(must(co_await all.next()));
  };
  tare::run(body());
}

TEST_F(db, parameters_are_never_part_of_the_text) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_);
    co_await make_items(in);
    const std::string evil = "x'); DROP TABLE items; --";
    must(co_await in.execute("INSERT INTO items (name) VALUES ($1)", evil));
    EXPECT_EQ(must(co_await in.query_one<std::string>("SELECT name FROM items WHERE name = $1", evil)), evil);
    // $2 before $1, and $1 twice.
    const auto found = must(co_await in.query_one<std::string, std::string, std::string>(
        "SELECT CAST($2 AS TEXT), CAST($1 AS TEXT), CAST($1 AS TEXT)", "one", "two"));
    EXPECT_EQ(found, std::make_tuple("two", "one", "one"));
  };
  tare::run(body());
}

TEST_F(db, query_one_gives_one_row_or_none) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_);
    co_await make_items(in);
    EXPECT_EQ(must(co_await in.query_one<std::int64_t>("SELECT id FROM items")), std::nullopt);
    EXPECT_EQ(must(co_await in.execute("INSERT INTO items (name, price) VALUES ($1, $2), ($3, $4)", "a", 1.5, "b",
                                       std::optional<double>())),
              2U);
    const auto first = must(
        co_await in.query_one<std::string, std::optional<double>>("SELECT name, price FROM items ORDER BY name DESC"));
    EXPECT_EQ(first, std::make_tuple("b", std::nullopt));
    EXPECT_EQ(must(co_await in.execute("UPDATE items SET price = 3")), 2U);
    EXPECT_EQ(must(co_await in.execute("DELETE FROM items WHERE name = $1", "a")), 1U);
    EXPECT_EQ(must(co_await in.execute("DELETE FROM items WHERE name = $1", "a")), 0U);
    const auto mistaken = co_await in.query_one<std::int64_t>("SELECT name FROM items");
    EXPECT_FALSE(mistaken);
    EXPECT_EQ(mistaken.error().kind(), error_kind::data);
  };
  tare::run(body());
}

TEST_F(db, a_statement_that_gives_what_it_has_inserted) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_);
    co_await make_items(in);
    const auto id = must(co_await in.query_one<std::int64_t>("INSERT INTO items (name) VALUES ($1) RETURNING id", "a"));
    EXPECT_EQ(id, 1);
    EXPECT_EQ(co_await count_items(in), 1);
  };
  tare::run(body());
}

TEST_F(db, rows_are_streamed) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_);
    auto all = must(co_await in.query(backend::series("100000")));
    EXPECT_EQ(in.lent(), 1U);
    std::int64_t expected = 0;
    for (;;) {
      auto row = must(co_await all.next());
      if (!row) break;
      ++expected;
      if (row->get<std::int64_t>(0) != expected) {
        ADD_FAILURE() << expected;
        co_return;
      }
    }
    EXPECT_EQ(expected, 100000);
    EXPECT_EQ(in.lent(), 0U);
  };
  tare::run(body());
}

TEST_F(db, rows_that_are_not_read_to_the_end_are_stopped) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_, {.connections = 1});
    for (int round = 0; round < 3; ++round) {
      // More rows than any machine would produce during the test.
      auto endless = must(co_await in.query(backend::series("1000000000000")));
      for (int i = 0; i < 3000; ++i) (void)must(co_await endless.next());
    }
    EXPECT_EQ(must(co_await in.query_one<std::int64_t>("SELECT 1")), 1);
  };
  tare::run(body());
}

TEST_F(db, errors_have_kinds) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_);
    co_await make_items(in);
    must(co_await in.execute("CREATE UNIQUE INDEX by_name ON items (name)"));
    must(co_await in.execute("INSERT INTO items (name) VALUES ('a')"));

    auto twice = co_await in.execute("INSERT INTO items (name) VALUES ('a')");
    EXPECT_FALSE(twice);
    EXPECT_EQ(twice.error().kind(), error_kind::constraint);
    EXPECT_FALSE(twice.error().code().empty());
    EXPECT_NE(twice.error().message(), "");
    auto null = co_await in.execute("INSERT INTO items (name) VALUES (NULL)");
    EXPECT_EQ(null.error().kind(), error_kind::constraint);

    const std::vector<std::string> wrong{"SELEC 1", "SELECT * FROM nowhere", "SELECT nothing FROM items", ""};
    for (const std::string& sql : wrong) {
      auto made = co_await in.query(sql);
      EXPECT_FALSE(made) << sql;
      if (!made) {
        EXPECT_EQ(made.error().kind(), error_kind::syntax) << sql << made.error().message();
      }
    }
    auto two = co_await in.execute("DELETE FROM items; DELETE FROM items");
    EXPECT_EQ(two.error().kind(), error_kind::syntax);
    auto too_few = co_await in.execute("INSERT INTO items (name, price) VALUES ($1, $2)", "b");
    EXPECT_EQ(too_few.error().kind(), error_kind::syntax) << too_few.error().message();
    auto too_many = co_await in.execute("INSERT INTO items (name) VALUES ($1)", "b", "c");
    EXPECT_EQ(too_many.error().kind(), error_kind::syntax) << too_many.error().message();

    // None of this has damaged the connection.
    EXPECT_EQ(co_await count_items(in), 1);
  };
  tare::run(body());
}

TEST_F(db, a_connection_is_kept_as_long_as_it_is_held) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_, {.connections = 2});
    {
      auto mine = must(co_await in.acquire());
      must(co_await mine.execute("CREATE TEMPORARY TABLE scratch (i BIGINT)"));
      must(co_await mine.execute("INSERT INTO scratch VALUES (1)"));
      EXPECT_EQ(must(co_await mine.query_one<std::int64_t>("SELECT i FROM scratch")), 1);
      auto tx = must(co_await mine.begin());
      EXPECT_THROW((void)co_await mine.begin(), std::logic_error);
      must(co_await tx.rollback());

      auto endless = must(co_await mine.query(backend::series("1000000000000")));
      EXPECT_THROW((void)co_await mine.execute("SELECT 1"), std::logic_error);
    }
    EXPECT_EQ(must(co_await in.query_one<std::int64_t>("SELECT 1")), 1);
  };
  tare::run(body());
}

TEST_F(db, rows_hold_the_connection_they_come_from) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_, {.connections = 1});
    auto rows_of_a_lent_one = [&]() -> task<tare::db::rows> {
      auto mine = must(co_await in.acquire());
      co_return must(co_await mine.query(backend::series("100000")));
    };
    auto all = co_await rows_of_a_lent_one();
    EXPECT_EQ(in.lent(), 1U);
    std::int64_t count = 0;
    while (must(co_await all.next())) ++count;
    EXPECT_EQ(count, 100000);
    // Waits until the changes of the acquired connection have been undone.
    for (int tries = 0; in.lent() != 0 && tries < 5000; ++tries) co_await tare::sleep_for(1ms);
    EXPECT_EQ(in.lent(), 0U);
  };
  tare::run(body());
}

TEST_F(db, no_more_connections_than_the_cap_and_everybody_gets_a_turn) {
  std::atomic<int> done = 0;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_, {.connections = 3});
    co_await make_items(in);
    auto client = [&](int number) -> task<> {
      must(co_await in.execute("INSERT INTO items (name) VALUES ($1)", std::to_string(number)));
      EXPECT_LE(in.lent(), 3U);
      if (must(co_await in.query_one<std::int64_t>("SELECT count(*) FROM items WHERE name = $1",
                                                   std::to_string(number))) == 1) {
        ++done;
      }
    };
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (int i = 0; i < 200; ++i) s.spawn_on(static_cast<unsigned>(i) % 2, client(i));
      co_return;
    });
    EXPECT_EQ(co_await count_items(in), 200);
    EXPECT_EQ(in.lent(), 0U);
    co_await in.close();
  };
  tare::runtime rt({.shards = 2});
  rt.run(body());
  EXPECT_EQ(done, 200);
}

TEST_F(db, a_query_that_takes_too_long_is_stopped) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_, {.connections = 1});
    const std::string forever = "SELECT sum(i) FROM (" + backend::series("1000000000000") + ") AS numbers";
    for (int round = 0; round < 3; ++round) {
      auto late = co_await tare::timeout(50ms, in.query(forever));
      EXPECT_FALSE(late);
      EXPECT_EQ(must(co_await in.query_one<std::int64_t>("SELECT 1")), 1);
    }
    // The same in a transaction, which can then only be rolled back.
    auto tx = must(co_await in.begin());
    auto late = co_await tare::timeout(50ms, tx.execute(forever));
    EXPECT_FALSE(late);
    EXPECT_EQ((co_await tx.execute("SELECT 1")).error().kind(), error_kind::cancelled);
    EXPECT_EQ((co_await tx.commit()).error().kind(), error_kind::cancelled);
    EXPECT_EQ(must(co_await in.query_one<std::int64_t>("SELECT 1")), 1);
  };
  tare::run(body());
}

TEST_F(db, waiting_for_a_connection_can_be_cancelled) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_, {.connections = 1});
    {
      auto mine = must(co_await in.acquire());
      EXPECT_FALSE(co_await tare::timeout(5ms, in.query("SELECT 1")));
      EXPECT_FALSE(co_await tare::timeout(5ms, in.begin()));
    }
    EXPECT_EQ(must(co_await in.query_one<std::int64_t>("SELECT 1")), 1);
  };
  tare::run(body());
}

TEST_F(db, statements_are_prepared_again_when_there_are_too_many) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_, {.connections = 1, .cached_statements = 3});
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 10; ++i) {
        const std::string sql = "SELECT " + std::to_string(i) + " + CAST($1 AS BIGINT)";
        EXPECT_EQ(must(co_await in.query_one<std::int64_t>(sql, 100)), 100 + i);
      }
    }
  };
  tare::run(body());
}

TEST_F(db, a_schema_that_changes_is_noticed) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_, {.connections = 1});
    co_await make_items(in);
    must(co_await in.execute("INSERT INTO items (name, price) VALUES ('a', 1)"));
    EXPECT_EQ(must(co_await in.query("SELECT * FROM items")).columns().size(), 3U);
    must(co_await in.execute("ALTER TABLE items ADD COLUMN note TEXT"));
    auto after = must(co_await in.query("SELECT * FROM items"));
    EXPECT_EQ(after.columns().size(), 4U);
    const auto row = must(co_await after.next());
    EXPECT_TRUE(row && row->is_null(3));
  };
  tare::run(body());
}

TEST_F(db, a_pool_that_is_closed_refuses) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_);
    EXPECT_EQ(must(co_await in.query_one<std::int64_t>("SELECT 1")), 1);
    co_await in.close();
    EXPECT_EQ((co_await in.query("SELECT 1")).error().kind(), error_kind::unavailable);
  };
  tare::run(body());
}

TEST_F(db, outlives_the_runtime_that_it_was_used_in) {
  pool in = db_test::open(on_, {.connections = 1});
  std::optional<tare::db::transaction> left;
  auto first = [&]() -> task<> {
    co_await make_items(in);
    left.emplace(must(co_await in.begin()));
    must(co_await left->execute("INSERT INTO items (name) VALUES ('a')"));
  };
  tare::run(first());
  left.reset();  // outside any shard, so the connection is closed
  auto second = [&]() -> task<> { EXPECT_EQ(co_await count_items(in), 0); };
  tare::run(second());
}

TEST(db_pool, a_name_that_is_no_database_is_refused) {
  for (const char* name : {"", "items.db", "mysql://here", "sqlite:"}) {
    auto made = pool::open(name);
    EXPECT_FALSE(made) << name;
    if (!made) {
      EXPECT_EQ(made.error().kind(), error_kind::syntax) << name;
    }
  }
}

}  // namespace
