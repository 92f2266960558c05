// Values of tasks: who sees them, where, and for how long.

#include <tare/task_local.hpp>

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;

constinit tare::task_local<std::string> name;
constinit tare::task_local<int> number;
constinit tare::task_local<std::shared_ptr<int>> shared;

task<std::string> see_name() {
  const std::string* const seen = co_await name.get();
  co_return seen == nullptr ? "none" : *seen;
}

task<int> see_number() {
  const int* const seen = co_await number.get();
  co_return seen == nullptr ? -1 : *seen;
}

task<int> see_number_far_below(int depth) {
  if (depth == 0) {
    auto last = see_number();
    co_return co_await std::move(last);
  }
  auto next = see_number_far_below(depth - 1);
  co_return co_await std::move(next);
}

task<> move_and_see(tare::shard_id to, int expected) {
  co_await tare::resume_on(to);
  const int seen = co_await see_number();
  EXPECT_EQ(seen, expected) << "on shard " << to;
  const int deep = co_await see_number_far_below(5);
  EXPECT_EQ(deep, expected);
}

TEST(task_local, is_seen_by_what_is_awaited_and_nowhere_else) {
  auto body = []() -> task<> {
    const int before = co_await see_number();
    EXPECT_EQ(before, -1);
    const int inside = co_await number.with(7, see_number());
    EXPECT_EQ(inside, 7);
    const int far = co_await number.with(8, see_number_far_below(100));
    EXPECT_EQ(far, 8);
    const int after = co_await see_number();
    EXPECT_EQ(after, -1);
  };
  tare::run(body());
}

TEST(task_local, of_one_key_hides_that_of_the_same_key_and_no_other) {
  auto inner = []() -> task<std::string> {
    const std::string text = co_await see_name();
    const int value = co_await see_number();
    co_return text + std::to_string(value);
  };
  auto middle = [&]() -> task<std::string> {
    auto hidden = co_await name.with("b", inner());
    auto again = co_await inner();
    co_return hidden + again;
  };
  auto body = [&]() -> task<> {
    auto outer = name.with("a", middle());
    auto wrap = [&]() -> task<std::string> { co_return co_await std::move(outer); };
    const std::string all = co_await number.with(1, wrap());
    EXPECT_EQ(all, "b1a1");
  };
  tare::run(body());
}

TEST(task_local, is_seen_through_every_way_to_await) {
  auto body = []() -> task<> {
    auto [one, other] = co_await tare::when_all(see_number(), see_number());
    EXPECT_EQ(one, 5);
    EXPECT_EQ(other, 5);
    const auto in_time = co_await tare::timeout(1h, see_number());
    EXPECT_EQ(in_time.value(), 5);
    const int shielded = co_await tare::shield(see_number());
    EXPECT_EQ(shielded, 5);
    const int noticed = co_await tare::on_cancel(see_number(), []() noexcept {});
    EXPECT_EQ(noticed, 5);
    int seen = 0;
    auto children = [&](tare::scope& in) -> task<> {
      auto child = [&]() -> task<> {
        co_await tare::yield();
        seen += co_await see_number();
      };
      for (int i = 0; i < 3; ++i) in.spawn(child);
      const int in_body = co_await see_number();
      EXPECT_EQ(in_body, 5);
    };
    co_await tare::with_scope(children);
    EXPECT_EQ(seen, 15);
  };
  auto outer = [&]() -> task<> { co_await number.with(5, body()); };
  tare::run(outer());
}

TEST(task_local, is_seen_after_a_move_and_by_children_on_other_shards) {
  tare::runtime rt({.shards = 3, .background = true});
  auto body = []() -> task<> {
    co_await move_and_see(1, 9);
    co_await move_and_see(0, 9);
    auto children = [](tare::scope& in) -> task<> {
      for (unsigned i = 0; i < 12; ++i) {
        in.spawn_on(i % 3, move_and_see((i + 1) % 3, 9));
        in.spawn(move_and_see(i % 3, 9));
        in.spawn_balanced(move_and_see(2, 9));
      }
      co_return;
    };
    co_await tare::with_scope(children);
    co_await tare::when_all(number.with(10, move_and_see(1, 10)), move_and_see(2, 9));
  };
  auto outer = [&]() -> task<> { co_await number.with(9, body()); };
  for (int i = 0; i < 20; ++i) rt.run(outer());
}

TEST(task_local, is_not_seen_by_what_is_spawned_unless_it_is_passed_on) {
  tare::runtime rt({.shards = 2, .background = true});
  std::atomic<int> without = 0;
  std::atomic<int> with = 0;
  const auto alive = std::make_shared<int>(3);
  auto look = [](std::atomic<int>& into) -> task<> {
    co_await tare::sleep_for(20ms);
    const auto* const seen = co_await shared.get();
    into = seen == nullptr ? -1 : **seen;
  };
  auto body = [&]() -> task<> {
    tare::spawn(look(without));
    const tare::task_values values = co_await tare::current_values();
    EXPECT_EQ(**values.find(shared), 3);
    EXPECT_EQ(values.find(number), nullptr);
    tare::spawn_on(1, values.keep(look(with)));
    auto elsewhere = [values] { return **values.find(shared); };
    const int offloaded = co_await tare::offload(elsewhere);
    EXPECT_EQ(offloaded, 3);
  };
  auto outer = [&]() -> task<> { co_await shared.with(alive, body()); };
  rt.run(outer());
  auto wait = []() -> task<> { co_await tare::sleep_for(1ms); };
  for (int i = 0; i < 10'000 && (with == 0 || without == 0); ++i) rt.run(wait());
  EXPECT_EQ(with, 3) << "after the task that has set it has ended";
  EXPECT_EQ(without, -1);
  EXPECT_TRUE(rt.shutdown(1min));
  EXPECT_EQ(alive.use_count(), 1) << "a reference is left";
}

TEST(task_local, kept_values_replace_those_around) {
  auto body = []() -> task<> {
    const tare::task_values none;
    const tare::task_values six = co_await tare::current_values();
    const int kept = co_await number.with(7, six.keep(see_number()));
    EXPECT_EQ(kept, 6);
    const int nothing = co_await none.keep(see_number());
    EXPECT_EQ(nothing, -1);
  };
  auto outer = [&]() -> task<> { co_await number.with(6, body()); };
  tare::run(outer());
}

TEST(task_local, is_released_however_its_task_ends) {
  const auto alive = std::make_shared<int>(1);
  auto fails = []() -> task<int> {
    co_await tare::yield();
    throw std::runtime_error("fails");
  };
  auto waits = []() -> task<int> {
    co_await tare::sleep_for(1h);
    co_return 0;
  };
  auto body = [&]() -> task<> {
    EXPECT_THROW((void)co_await shared.with(alive, fails()), std::runtime_error);
    EXPECT_EQ(alive.use_count(), 1);
    auto never_awaited = shared.with(alive, waits());
    EXPECT_EQ(alive.use_count(), 2);
    auto with = [&]() -> task<int> { co_return co_await shared.with(alive, waits()); };
    const auto late = co_await tare::timeout(5ms, with());
    EXPECT_FALSE(late.has_value());
    EXPECT_EQ(alive.use_count(), 2);
  };
  tare::run(body());
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(task_local, can_be_nested_deeply) {
  struct nest {
    static task<int> down(int depth) {
      if (depth == 0) {
        auto last = see_number();
        co_return co_await std::move(last);
      }
      co_return co_await number.with(depth, down(depth - 1));
    }
  };
  auto body = []() -> task<> {
    const int innermost = co_await nest::down(50'000);
    EXPECT_EQ(innermost, 1);
  };
  tare::run(body());
}

}  // namespace
