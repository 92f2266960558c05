// This program's own await table, which tare_await_table() adds if the command is built.

#include <tare/symbols.hpp>
#include <tare/tare.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace museum {

using namespace std::chrono_literals;

#ifdef TARE_AWAIT_TABLE
constexpr bool has_table = true;
#else
constexpr bool has_table = false;
#endif

constexpr unsigned line_of_first = __LINE__ + 4;
constexpr unsigned line_of_second = __LINE__ + 4;
constexpr unsigned line_of_visit = __LINE__ + 1;
tare::task<> visit(int room) {
  if (room == 1) co_await tare::sleep_for(1h);
  co_await tare::sleep_for(2h);
}

/// The number of frames of visit() by what they wait for and on which line.
using counts = std::map<std::pair<tare::awaited, unsigned>, std::size_t>;

counts seen_with(const tare::await_table& table) {
  counts all;
  auto observe = [&](tare::scope& s) -> tare::task<> {
    std::vector<tare::task<>> kept;
    for (int i = 0; i < 5; ++i) kept.push_back(visit(1));
    for (int i = 0; i < 30; ++i) s.spawn(visit(1));
    for (int i = 0; i < 70; ++i) s.spawn(visit(2));
    co_await tare::yield();
    tare::snapshot_options options;
    options.awaits = &table;
    const tare::task_snapshot seen = co_await tare::snapshot(options);
    for (const tare::frame_group& each : seen.groups) {
      const auto at = table.place(each.resume, each.suspend_index);
      if (!at || !at->function.contains("museum::visit(int)")) continue;
      EXPECT_TRUE(at->file.ends_with("tests/symbols/read_awaits_test.cpp")) << at->file;
      EXPECT_EQ(at->is_await, each.waiting_for == tare::awaited::timer);
      all[{each.waiting_for, at->line}] += each.count;
    }
    s.cancel();
  };
  auto body = [&]() -> tare::task<> { co_await tare::with_scope(observe); };
  tare::run(body());
  return all;
}

TEST(read_awaits, gives_the_lines_of_this_program) {
  const tare::program_awaits known = tare::read_awaits();
  if (!has_table) {
    EXPECT_TRUE(known.table.empty());
    EXPECT_THAT(known.notes, testing::ElementsAre(testing::HasSubstr("/read_awaits_test: no await table, ")));
    GTEST_SKIP() << "the command that makes the table is not built";
  }
  EXPECT_THAT(known.notes, testing::IsEmpty());
  EXPECT_GT(known.table.coroutines(), 5U);
  EXPECT_EQ(seen_with(known.table), (counts{{{tare::awaited::start, line_of_visit}, 5},
                                            {{tare::awaited::timer, line_of_first}, 30},
                                            {{tare::awaited::timer, line_of_second}, 70}}));
}

constexpr unsigned line_before_work = __LINE__ + 2;
tare::task<> work_without_an_await(std::atomic<bool>& seen) {
  co_await tare::sleep_for(1ms);
  for (int i = 0; i < 10'000 && !seen; ++i) std::this_thread::sleep_for(1ms);
}

TEST(read_awaits, gives_a_shard_watch_the_line_at_which_a_long_slice_began) {
  if (!has_table) GTEST_SKIP() << "the command that makes the table is not built";
  const tare::program_awaits known = tare::read_awaits();
  std::atomic<bool> seen = false;
  std::optional<tare::suspension_point> at;
  const auto take = [&](const tare::long_slice& found) {
    at = known.table.place(found.resume, found.suspend_index);
    seen = true;
  };
  tare::runtime rt;
  const tare::shard_watch watch(rt, {.max_slice = 20ms, .on_long_slice = take, .awaits = &known.table});
  rt.run(work_without_an_await(seen));
  ASSERT_TRUE(seen && at);
  EXPECT_THAT(std::string(at->function), testing::HasSubstr("museum::work_without_an_await("));
  EXPECT_EQ(at->line, line_before_work);
  EXPECT_TRUE(at->is_await);
}

TEST(read_awaits, is_the_same_each_time) {
  const tare::program_awaits first = tare::read_awaits();
  const tare::program_awaits again = tare::read_awaits();
  EXPECT_EQ(first.table.coroutines(), again.table.coroutines());
  EXPECT_EQ(first.notes, again.notes);
}

TEST(read_awaits, without_a_table_knows_no_places) { EXPECT_TRUE(seen_with(tare::await_table()).empty()); }

}  // namespace museum
