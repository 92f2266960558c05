// Results whose moves throw, and locals whose destructors throw after the result has been constructed: nothing leaks.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

int live = 0;
int moves_left = -1;  // until one throws; negative: none throws

struct fragile {
  fragile() { ++live; }
  // NOLINTNEXTLINE(performance-noexcept-move-constructor,bugprone-exception-escape): it throws
  fragile(fragile&& /*other*/) {
    if (moves_left == 0) {
      moves_left = -1;
      throw std::runtime_error("move");
    }
    if (moves_left > 0) --moves_left;
    ++live;
  }
  fragile& operator=(fragile&&) = default;
  fragile(const fragile&) = delete;
  fragile& operator=(const fragile&) = delete;
  ~fragile() { --live; }
};

struct throws_at_end {
  throws_at_end() = default;
  throws_at_end(const throws_at_end&) = delete;
  throws_at_end& operator=(const throws_at_end&) = delete;
  ~throws_at_end() noexcept(false) { throw std::runtime_error("destructor"); }
};

task<fragile> makes() { co_return fragile(); }
task<fragile> waits_and_makes() {
  co_await tare::sleep_for(1ms);
  co_return fragile();
}
task<fragile> makes_and_throws() {
  const throws_at_end last;
  co_return fragile();
}

task<> awaits() { const fragile got = co_await makes(); }
task<> awaits_shielded() { const fragile got = co_await tare::shield(makes()); }
task<> awaits_all() { const auto got = co_await tare::when_all(makes(), waits_and_makes(), makes()); }
task<> awaits_vector() {
  std::vector<task<fragile>> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(makes());
  const auto got = co_await tare::when_all(std::move(tasks));
}
task<> awaits_any() { const auto got = co_await tare::when_any(makes(), makes(), waits_and_makes()); }
task<> awaits_any_vector() {
  std::vector<task<fragile>> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(makes());
  const auto got = co_await tare::when_any(std::move(tasks));
}
task<> awaits_timeout() { const auto got = co_await tare::timeout(1h, waits_and_makes()); }
task<> awaits_offload() {
  const fragile got = co_await tare::offload([] { return fragile(); });
}

using way = task<> (*)();
class throwing_result : public testing::TestWithParam<way> {};

TEST_P(throwing_result, is_destroyed_whichever_move_throws) {
  bool came_through = false;
  for (int nth = 0; nth < 40 && !came_through; ++nth) {
    live = 0;
    moves_left = nth;
    came_through = true;
    auto body = [&]() -> task<> {
      try {
        co_await GetParam()();
      } catch (const std::runtime_error&) {
        came_through = false;
      }
    };
    tare::runtime rt({.clock = tare::clock_kind::virtual_time});
    rt.run(body());
    EXPECT_EQ(live, 0) << "move " << nth << " threw";
  }
  EXPECT_TRUE(came_through) << "there are more moves than expected";
}

INSTANTIATE_TEST_SUITE_P(ways, throwing_result,
                         testing::Values(&awaits, &awaits_shielded, &awaits_all, &awaits_vector, &awaits_any,
                                         &awaits_any_vector, &awaits_timeout, &awaits_offload));

TEST(throwing_local, takes_the_result_with_it) {
  live = 0;
  moves_left = -1;
  int caught = 0;
  auto awaits_throwing = []() -> task<> { (void)co_await makes_and_throws(); };
  auto all_throwing = []() -> task<> { (void)co_await tare::when_all(makes(), makes_and_throws(), makes()); };
  auto any_throwing = []() -> task<> { (void)co_await tare::when_any(makes_and_throws(), waits_and_makes()); };
  auto late_throwing = []() -> task<> { (void)co_await tare::timeout(1h, makes_and_throws()); };
  auto body = [&]() -> task<> {
    for (int attempt = 0; attempt < 4; ++attempt) {
      try {
        if (attempt == 0) co_await awaits_throwing();
        if (attempt == 1) co_await all_throwing();
        if (attempt == 2) co_await any_throwing();
        if (attempt == 3) co_await late_throwing();
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "destructor");
        ++caught;
      }
      EXPECT_EQ(live, 0) << attempt;
    }
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
  EXPECT_EQ(caught, 4);
}

TEST(when_nothing, returns_or_is_refused) {
  int reached = 0;
  auto body = [&]() -> task<> {
    co_await tare::when_all();
    ++reached;
    std::vector<task<int>> none;
    EXPECT_TRUE((co_await tare::when_all(std::move(none))).empty());
    ++reached;
    co_await tare::when_all(std::vector<task<>>());
    ++reached;
    bool refused = false;
    try {
      (void)co_await tare::when_any(std::vector<task<int>>());
    } catch (const std::invalid_argument&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
    refused = false;
    try {
      (void)co_await tare::when_any(std::vector<task<>>());
    } catch (const std::invalid_argument&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
    ++reached;
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
  EXPECT_EQ(reached, 4);
}

}  // namespace
