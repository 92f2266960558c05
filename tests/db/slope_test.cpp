// The weight of a query while it waits, according to the kernel.

#include "support/own_memory.hpp"
#include "support/temporary_folder.hpp"

#include <tare/db.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::db::pool;

#if defined(__clang__)
constexpr bool compact_frames = true;
#else
constexpr bool compact_frames = false;
#endif

constexpr std::size_t clients = 100'000;

/// The bytes per client of this many clients, which wait while the only connection is lent.
template <class Client>
double weight_of(Client client) {
  const support::temporary_folder folder;
  double weight = 0;
  auto body = [&]() -> task<> {
    auto opened = pool::open("sqlite:" + (folder / "test.db").string(), {.connections = 1});
    pool in = *std::move(opened);
    auto held = co_await in.acquire();
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      const double before = support::resident_bytes();
      for (std::size_t i = 0; i < clients; ++i) s.spawn(client(in, static_cast<std::int64_t>(i)));
      co_await tare::yield();
      weight = (support::resident_bytes() - before) / clients;
      s.cancel();
    });
  };
  tare::run(body());
  return weight;
}

task<> one_row(pool& in, std::int64_t id) {
  auto name = co_await in.query_one<std::string>("SELECT name FROM items WHERE id = $1", id);
  if (!name) throw std::runtime_error(name.error().message());
}

task<> many_rows(pool& in, std::int64_t id) {
  auto all = co_await in.query("SELECT name FROM items WHERE id > $1", id);
  if (!all) throw std::runtime_error(all.error().message());
}

task<> change(pool& in, std::int64_t id) {
  auto changed = co_await in.execute("DELETE FROM items WHERE id = $1", id);
  if (!changed) throw std::runtime_error(changed.error().message());
}

TEST(db_memory, a_query_that_waits_for_a_connection) {
  const double one = weight_of(one_row);
  const double many = weight_of(many_rows);
  const double none = weight_of(change);
  RecordProperty("query_one", std::to_string(one));
  std::printf("bytes for a task that waits: query_one %.0f, query %.0f, execute %.0f\n", one, many, none);
  EXPECT_LE(one, compact_frames ? 560 : 1200);
  EXPECT_LE(many, compact_frames ? 290 : 1000);
  EXPECT_LE(none, compact_frames ? 290 : 1000);
}

}  // namespace
