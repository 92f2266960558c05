// What is specific to SQLite.

#include "db/backend.hpp"
#include "support/temporary_folder.hpp"

#include <tare/db.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

namespace {

using namespace std::chrono_literals;
using db_test::must;
using tare::task;
using tare::db::error_kind;
using tare::db::pool;
using tare::db::result;

TEST(db_sqlite, a_full_disk_undoes_the_whole_transaction) {
  const support::temporary_folder folder;
  auto body = [&]() -> task<> {
    pool in = must(pool::open("sqlite:" + (folder / "full.db").string(), {.connections = 1}));
    must(co_await in.execute("CREATE TABLE items (body TEXT)"));
    must(co_await in.execute("INSERT INTO items VALUES ('first')"));
    // As if the disk had room for only this many pages.
    must(co_await in.execute("PRAGMA max_page_count = 20"));
    const std::string large(10'000, 'x');

    auto fill = [&](tare::db::transaction& tx) -> task<result<void>> {
      for (int i = 0; i < 1000; ++i) {
        auto added = co_await tx.execute("INSERT INTO items VALUES ($1)", large);
        if (!added) co_return std::unexpected(added.error());
      }
      co_return result<void>();
    };
    auto filled = co_await in.transact(fill);
    EXPECT_FALSE(filled);
    EXPECT_EQ(filled.error().kind(), error_kind::disk_full);
    EXPECT_EQ(must(co_await in.query_one<std::int64_t>("SELECT count(*) FROM items")), 1);

    tare::db::batch several;
    for (int i = 0; i < 100; ++i) several.add("INSERT INTO items VALUES ($1)", large);
    EXPECT_EQ((co_await in.execute(std::move(several))).error().kind(), error_kind::disk_full);
    EXPECT_EQ((co_await in.execute("INSERT INTO items VALUES ($1)", std::string(200'000, 'x'))).error().kind(),
              error_kind::disk_full);
    EXPECT_EQ(must(co_await in.query_one<std::int64_t>("SELECT count(*) FROM items")), 1);

    must(co_await in.execute("PRAGMA max_page_count = 10000"));
    must(co_await in.execute("INSERT INTO items VALUES ($1)", large));
    EXPECT_EQ(must(co_await in.query_one<std::int64_t>("SELECT count(*) FROM items")), 2);
  };
  tare::run(body());
}

TEST(db_sqlite, a_file_that_cannot_be_opened_is_unavailable_until_it_can) {
  const support::temporary_folder folder;
  auto body = [&]() -> task<> {
    pool in = must(pool::open("sqlite:" + (folder / "later/items.db").string()));
    auto refused = co_await in.execute("CREATE TABLE items (i BIGINT)");
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), error_kind::unavailable);
    EXPECT_NE(refused.error().message().find("items.db"), std::string::npos);
    std::filesystem::create_directory(folder / "later");
    co_await tare::sleep_for(1s);
    must(co_await in.execute("CREATE TABLE items (i BIGINT)"));
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
}

TEST(db_sqlite, a_file_that_is_no_database_is_refused) {
  const support::temporary_folder folder;
  folder.write("text.db", std::string(8192, 'x'));
  auto body = [&]() -> task<> {
    pool in = must(pool::open("sqlite:" + (folder / "text.db").string()));
    EXPECT_EQ((co_await in.query("SELECT * FROM items")).error().kind(), error_kind::protocol);
  };
  tare::run(body());
}

TEST(db_sqlite, in_memory_there_is_one_connection) {
  auto body = []() -> task<> {
    pool in = must(pool::open("sqlite::memory:", {.connections = 5}));
    EXPECT_EQ(in.capacity(), 1U);
    must(co_await in.execute("CREATE TABLE items (i BIGINT)"));
    must(co_await in.execute("INSERT INTO items VALUES (?)", 3));
    EXPECT_EQ(must(co_await in.query_one<std::int64_t>("SELECT i FROM items WHERE i = :i", 3)), 3);
  };
  tare::run(body());
}

TEST(db_sqlite, writes_ahead_to_a_log_and_minds_foreign_keys) {
  const db_test::backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on);
    EXPECT_EQ(must(co_await in.query_one<std::string>("PRAGMA journal_mode")), "wal");
    EXPECT_EQ(must(co_await in.query_one<int>("PRAGMA synchronous")), 2);
    must(co_await in.execute_script("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id))"));
    EXPECT_EQ((co_await in.execute("INSERT INTO b VALUES (1)")).error().kind(), error_kind::constraint);

    pool relaxed = db_test::open(on, {.durable = tare::db::durability::normal});
    EXPECT_EQ(must(co_await relaxed.query_one<int>("PRAGMA synchronous")), 1);
  };
  tare::run(body());
}

TEST(db_sqlite, another_writer_makes_it_busy_after_the_limit) {
  const db_test::backend on;
  auto body = [&]() -> task<> {
    pool one = db_test::open(on);
    pool other = db_test::open(on, {.busy_limit = 30ms});
    must(co_await one.execute("CREATE TABLE items (i BIGINT)"));
    auto tx = must(co_await one.begin());
    must(co_await tx.execute("INSERT INTO items VALUES (1)"));
    auto busy = co_await other.execute("INSERT INTO items VALUES (2)");
    EXPECT_FALSE(busy);
    EXPECT_EQ(busy.error().kind(), error_kind::busy);
    must(co_await tx.commit());
    must(co_await other.execute("INSERT INTO items VALUES (2)"));
  };
  tare::run(body());
}

TEST(db_sqlite, a_writer_that_waits_for_its_turn_in_the_pool_gets_busy_too) {
  const db_test::backend on;
  auto body = [&]() -> task<> {
    pool in = db_test::open(on, {.busy_limit = 20ms});
    must(co_await in.execute("CREATE TABLE items (i BIGINT)"));
    auto tx = must(co_await in.begin());
    EXPECT_EQ((co_await in.execute("INSERT INTO items VALUES (2)")).error().kind(), error_kind::busy);
    EXPECT_EQ(must(co_await in.query_one<std::int64_t>("SELECT count(*) FROM items")), 0);
    must(co_await tx.rollback());
    must(co_await in.execute("INSERT INTO items VALUES (2)"));
  };
  tare::run(body());
}

TEST(db_sqlite, waiting_for_a_lock_of_somebody_else_can_be_cancelled) {
  const db_test::backend on;
  auto body = [&]() -> task<> {
    pool one = db_test::open(on);
    pool other = db_test::open(on, {.busy_limit = 1h});
    must(co_await one.execute("CREATE TABLE items (i BIGINT)"));
    auto tx = must(co_await one.begin());
    EXPECT_FALSE(co_await tare::timeout(30ms, other.execute("INSERT INTO items VALUES (2)")));
    must(co_await tx.rollback());
    must(co_await other.execute("INSERT INTO items VALUES (3)"));
    EXPECT_EQ(must(co_await other.query_one<std::int64_t>("SELECT sum(i) FROM items")), 3);
  };
  tare::run(body());
}

}  // namespace
