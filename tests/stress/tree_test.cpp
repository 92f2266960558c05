// Random trees of everything that waits for tasks, compared with a model that computes when they end and with what
// result.
//
// With the virtual clock the model is exact: a parallel node takes as long as its longest child, a race as long as its
// shortest, and a time limit ends its child. A cancellation from outside must end the tree in the same tick.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace {

using tare::task;
using milliseconds = std::chrono::milliseconds;

enum class kind : std::uint8_t { sleep, sequence, scope, all, any, limit };

struct node {
  kind what = kind::sleep;
  std::int64_t ms = 0;  // for a sleep or a limit
  std::vector<node> children;
};

struct outcome {
  std::int64_t ms = 0;
  std::int64_t value = 0;
};

outcome model(const node& of) {
  if (of.what == kind::sleep) return {.ms = of.ms, .value = of.ms};
  std::vector<outcome> each;
  each.reserve(of.children.size());
  for (const node& child : of.children) each.push_back(model(child));
  const auto longest = std::ranges::max(each, {}, &outcome::ms).ms;
  outcome sum;
  for (const outcome& one : each) sum = {.ms = sum.ms + one.ms, .value = sum.value + one.value};
  switch (of.what) {
    case kind::scope:
    case kind::all:
      return {.ms = longest, .value = sum.value};
    case kind::any: {
      const auto shortest = std::ranges::min(each, {}, &outcome::ms).ms;
      return {.ms = shortest, .value = shortest};
    }
    case kind::limit:
      return sum.ms < of.ms ? sum : outcome{.ms = of.ms, .value = -1};
    default:
      return sum;
  }
}

/// Counts live frames: every frame of the tree has one.
class alive {
 public:
  explicit alive(int& count) : count_(count) { ++count_; }
  alive(const alive&) = delete;
  alive& operator=(const alive&) = delete;
  ~alive() { --count_; }

 private:
  int& count_;
};

task<std::int64_t> perform(const node& of, int& live);

task<> add(const node& of, int& live, std::int64_t& sum) { sum += co_await perform(of, live); }

task<std::int64_t> perform(const node& of, int& live) {
  const alive here(live);
  std::int64_t sum = 0;
  switch (of.what) {
    case kind::sleep:
      co_await tare::sleep_for(milliseconds(of.ms));
      co_return of.ms;
    case kind::scope:
      co_await tare::with_scope([&](tare::scope& s) -> task<> {
        for (const node& child : of.children) s.spawn(add(child, live, sum));
        co_return;
      });
      co_return sum;
    case kind::all: {
      std::vector<task<std::int64_t>> tasks;
      tasks.reserve(of.children.size());
      for (const node& child : of.children) tasks.push_back(perform(child, live));
      for (const std::int64_t each : co_await tare::when_all(std::move(tasks))) sum += each;
      co_return sum;
    }
    case kind::any: {
      const auto start = tare::now();
      std::vector<task<std::int64_t>> tasks;
      tasks.reserve(of.children.size());
      for (const node& child : of.children) tasks.push_back(perform(child, live));
      (void)co_await tare::when_any(std::move(tasks));
      co_return std::chrono::duration_cast<milliseconds>(tare::now() - start).count();
    }
    case kind::limit: {
      const auto in_time = co_await tare::timeout(milliseconds(of.ms), perform(of.children.front(), live));
      co_return in_time ? *in_time : -1;
    }
    default:
      for (const node& child : of.children) sum += co_await perform(child, live);
      co_return sum;
  }
}

class maker {
 public:
  explicit maker(unsigned seed) : random_(seed) {}

  node make(int depth) {
    node made;
    made.what = depth == 0 ? kind::sleep : static_cast<kind>(random_() % 6);
    made.ms = 1 + static_cast<std::int64_t>(random_() % 50);
    if (made.what == kind::sleep) return made;
    const std::size_t children = made.what == kind::limit ? 1 : 1 + random_() % 4;
    for (std::size_t i = 0; i < children; ++i) made.children.push_back(make(depth - 1));
    // If both end in the same tick, either may win.
    if (made.what == kind::limit && model(made.children.front()).ms == made.ms) ++made.ms;
    return made;
  }
  std::int64_t below(std::int64_t end) { return static_cast<std::int64_t>(random_()) % end; }

 private:
  std::mt19937 random_;
};

class tree_test : public testing::TestWithParam<unsigned> {};

TEST_P(tree_test, ends_when_the_model_says_and_with_what_it_says) {
  maker trees(GetParam());
  for (int round = 0; round < 60; ++round) {
    const node tree = trees.make(5);
    const outcome expected = model(tree);
    int live = 0;
    outcome seen;
    auto body = [&]() -> task<> {
      const auto start = tare::now();
      seen.value = co_await perform(tree, live);
      seen.ms = std::chrono::duration_cast<milliseconds>(tare::now() - start).count();
    };
    tare::runtime rt({.clock = tare::clock_kind::virtual_time});
    rt.run(body());
    ASSERT_EQ(seen.value, expected.value) << "round " << round;
    ASSERT_EQ(seen.ms, expected.ms) << "round " << round;
    ASSERT_EQ(live, 0) << "round " << round;
  }
}

TEST_P(tree_test, ends_in_the_tick_in_which_it_is_cancelled) {
  maker trees(GetParam() + 1000);
  for (int round = 0; round < 60; ++round) {
    const node tree = trees.make(5);
    const std::int64_t whole = model(tree).ms;
    const std::int64_t cancelled_at = trees.below(whole);
    int live = 0;
    std::int64_t elapsed = -1;
    std::int64_t sum = 0;
    auto body = [&]() -> task<> {
      const auto start = tare::now();
      co_await tare::with_scope([&](tare::scope& s) -> task<> {
        s.spawn(add(tree, live, sum));
        if (cancelled_at > 0) co_await tare::sleep_for(milliseconds(cancelled_at));
        s.cancel();
      });
      elapsed = std::chrono::duration_cast<milliseconds>(tare::now() - start).count();
    };
    tare::runtime rt({.clock = tare::clock_kind::virtual_time});
    rt.run(body());
    ASSERT_EQ(elapsed, cancelled_at) << "round " << round << " of " << whole << " ms";
    ASSERT_EQ(live, 0) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(seeds, tree_test, testing::Range(1U, 9U));

}  // namespace
