// Transactions, batches and scripts on every database. The program that this is linked into decides which one.

#include "db/backend.hpp"

#include <tare/db.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using db_test::backend;
using db_test::count_items;
using db_test::make_items;
using db_test::must;
using tare::task;
using tare::db::error_kind;
using tare::db::pool;
using tare::db::result;

class db_transaction : public testing::Test {
 protected:
  backend on_;
};

TEST_F(db_transaction, a_transaction_counts_when_it_is_committed) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_);
    co_await make_items(in);
    {
      auto tx = must(co_await in.begin());
      must(co_await tx.execute("INSERT INTO items (name) VALUES ('a')"));
      EXPECT_EQ(co_await count_items(in), 0);
      must(co_await tx.commit());
      EXPECT_FALSE(tx.open());
      EXPECT_THROW((void)co_await tx.execute("SELECT 1"), std::logic_error);
    }
    EXPECT_EQ(co_await count_items(in), 1);
    {
      auto tx = must(co_await in.begin());
      must(co_await tx.execute("INSERT INTO items (name) VALUES ('b')"));
      must(co_await tx.rollback());
    }
    EXPECT_EQ(co_await count_items(in), 1);
    EXPECT_EQ(in.lent(), 0U);
  };
  tare::run(body());
}

TEST_F(db_transaction, a_transaction_that_is_dropped_is_rolled_back) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_, {.connections = 1});
    co_await make_items(in);
    {
      auto tx = must(co_await in.begin());
      must(co_await tx.execute("INSERT INTO items (name) VALUES ('a')"));
    }
    // There is only one connection, so this waits until it is clean.
    EXPECT_EQ(co_await count_items(in), 0);
  };
  tare::run(body());
}

TEST_F(db_transaction, a_transaction_with_a_failed_statement_cannot_be_committed) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_);
    co_await make_items(in);
    auto tx = must(co_await in.begin());
    must(co_await tx.execute("INSERT INTO items (name) VALUES ('a')"));
    EXPECT_EQ((co_await tx.execute("INSERT INTO items (name) VALUES (NULL)")).error().kind(), error_kind::constraint);
    EXPECT_EQ((co_await tx.execute("INSERT INTO items (name) VALUES ('b')")).error().kind(), error_kind::constraint);
    auto done = co_await tx.commit();
    EXPECT_FALSE(done);
    EXPECT_EQ(done.error().kind(), error_kind::constraint);
    EXPECT_FALSE(tx.open());
    EXPECT_EQ(co_await count_items(in), 0);
  };
  tare::run(body());
}

TEST_F(db_transaction, transact_commits_or_rolls_back) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_, {.connections = 1});
    co_await make_items(in);
    auto add = [](tare::db::transaction& tx) -> task<result<int>> {
      must(co_await tx.execute("INSERT INTO items (name) VALUES ('a')"));
      co_return 7;
    };
    EXPECT_EQ(must(co_await in.transact(add)), 7);
    EXPECT_EQ(co_await count_items(in), 1);

    auto refuse = [](tare::db::transaction& tx) -> task<result<int>> {
      must(co_await tx.execute("INSERT INTO items (name) VALUES ('b')"));
      co_return std::unexpected(tare::db::error(error_kind::other, "", "changed my mind"));
    };
    auto refused = co_await in.transact(refuse);
    EXPECT_EQ(refused.error().message(), "changed my mind");
    EXPECT_EQ(in.lent(), 0U);
    EXPECT_EQ(co_await count_items(in), 1);

    auto fail = [](tare::db::transaction& tx) -> task<result<void>> {
      must(co_await tx.execute("INSERT INTO items (name) VALUES ('c')"));
      throw std::runtime_error("bad luck");
    };
    EXPECT_THROW((void)co_await in.transact(fail), std::runtime_error);
    EXPECT_EQ(in.lent(), 0U);
    EXPECT_EQ(co_await count_items(in), 1);
  };
  tare::run(body());
}

TEST_F(db_transaction, a_transaction_left_by_cancellation_is_rolled_back) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_, {.connections = 1});
    co_await make_items(in);
    tare::event inserted;
    auto stuck = [&](tare::db::transaction& tx) -> task<result<void>> {
      must(co_await tx.execute("INSERT INTO items (name) VALUES ('a')"));
      inserted.set();
      co_await tare::sleep_for(1h);
      co_return result<void>();
    };
    auto run = [&]() -> task<> { (void)co_await in.transact(stuck); };
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn(run());
      co_await inserted.wait();
      s.cancel();
    });
    EXPECT_EQ(in.lent(), 0U);
    EXPECT_EQ(co_await count_items(in), 0);
  };
  tare::run(body());
}

TEST_F(db_transaction, a_read_only_transaction_cannot_write) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_, {.connections = 1});
    co_await make_items(in);
    {
      auto tx = must(co_await in.begin({.read_only = true}));
      EXPECT_EQ(must(co_await tx.query_one<std::int64_t>("SELECT count(*) FROM items")), 0);
      auto written = co_await tx.execute("INSERT INTO items (name) VALUES ('a')");
      EXPECT_FALSE(written);
      EXPECT_EQ(written.error().kind(), error_kind::denied);
      must(co_await tx.rollback());
    }
    {
      auto tx = must(co_await in.begin({.read_only = true}));
      must(co_await tx.commit());
    }
    must(co_await in.execute("INSERT INTO items (name) VALUES ('a')"));
    EXPECT_EQ(co_await count_items(in), 1);
  };
  tare::run(body());
}

TEST_F(db_transaction, a_batch_counts_together_or_not_at_all) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_);
    co_await make_items(in);
    tare::db::batch several;
    for (int i = 0; i < 500; ++i) {
      several.add("INSERT INTO items (name, price) VALUES ($1, $2)", "item " + std::to_string(i), i);
    }
    several.add("UPDATE items SET price = 0 WHERE price < $1", 10);
    const auto changes = must(co_await in.execute(std::move(several)));
    EXPECT_EQ(changes.size(), 501U);
    EXPECT_EQ(changes.front(), 1U);
    EXPECT_EQ(changes.back(), 10U);
    EXPECT_EQ(co_await count_items(in), 500);

    tare::db::batch wrong;
    wrong.add("DELETE FROM items");
    wrong.add("INSERT INTO items (name) VALUES (NULL)");
    wrong.add("DELETE FROM items");
    const auto failed = co_await in.execute(std::move(wrong));
    EXPECT_FALSE(failed);
    EXPECT_EQ(failed.error().kind(), error_kind::constraint);
    EXPECT_EQ(co_await count_items(in), 500);
    EXPECT_EQ(must(co_await in.execute(tare::db::batch())).size(), 0U);
  };
  tare::run(body());
}

TEST_F(db_transaction, a_script_counts_together_or_not_at_all) {
  auto body = [&]() -> task<> {
    pool in = db_test::open(on_);
    must(
        co_await in.execute_script("CREATE TABLE items (name TEXT NOT NULL); INSERT INTO items VALUES ('a');\n"
                                   "-- a comment\n"
                                   "INSERT INTO items VALUES ('b;b');"));
    EXPECT_EQ(co_await count_items(in), 2);
    auto failed = co_await in.execute_script("DELETE FROM items; INSERT INTO nowhere VALUES (1)");
    EXPECT_FALSE(failed);
    EXPECT_EQ(failed.error().kind(), error_kind::syntax);
    EXPECT_EQ(co_await count_items(in), 2);
  };
  tare::run(body());
}

}  // namespace
