// Values whose moves throw, one after the other, on every way from one task to another: nothing leaks, and what has
// not been delivered is where it was.

#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

int live = 0;
int move_count = 0;
int throwing_move = 0;  ///< the number of the move that throws; 0: none

struct fragile {
  explicit fragile(int number) : id(number) { ++live; }
  // NOLINTNEXTLINE(performance-noexcept-move-constructor,bugprone-exception-escape): it throws
  fragile(fragile&& other) : id(other.id) {
    if (++move_count == throwing_move) throw std::runtime_error("a move");
    other.id = 0;
    ++live;
  }
  fragile& operator=(fragile&& other) noexcept {
    id = std::exchange(other.id, 0);
    return *this;
  }
  fragile(const fragile&) = delete;
  fragile& operator=(const fragile&) = delete;
  ~fragile() { --live; }

  int id;
};

struct throws_at_end {
  throws_at_end() = default;
  throws_at_end(const throws_at_end&) = delete;
  throws_at_end& operator=(const throws_at_end&) = delete;
  ~throws_at_end() noexcept(false) { throw std::runtime_error("a destructor"); }
};

task<fragile> make(int id) { co_return fragile(id); }
task<fragile> make_later(int id) {
  co_await tare::sleep_for(1ms);
  co_return fragile(id);
}
task<fragile> make_and_throw(int id) {
  const throws_at_end last;
  co_return fragile(id);
}

std::vector<task<fragile>> several() {
  std::vector<task<fragile>> all;
  for (int i = 1; i <= 4; ++i) all.push_back(i % 2 == 0 ? make(i) : make_later(i));
  return all;
}

struct way {
  std::string name;
  std::function<task<>()> go;
};

std::vector<way> ways() {
  return {
      {"a result", []() -> task<> { EXPECT_EQ((co_await make(1)).id, 1); }},
      {"a later result", []() -> task<> { EXPECT_EQ((co_await make_later(1)).id, 1); }},
      {"shield", []() -> task<> { EXPECT_EQ((co_await tare::shield(make_later(1))).id, 1); }},
      {"timeout",
       []() -> task<> {
         const auto got = co_await tare::timeout(1s, make_later(1));
         EXPECT_TRUE(got.has_value());
       }},
      {"when_all", []() -> task<> { (void)co_await tare::when_all(make(1), make_later(2), make(3)); }},
      {"when_all of a vector", []() -> task<> { EXPECT_EQ((co_await tare::when_all(several())).size(), 4U); }},
      {"when_any", []() -> task<> { (void)co_await tare::when_any(make_later(1), make(2)); }},
      {"when_any of a vector", []() -> task<> { (void)co_await tare::when_any(several()); }},
      {"a handle",
       []() -> task<> {
         auto running = tare::spawn_handle(make_later(1));
         EXPECT_EQ((co_await running).id, 1);
       }},
      {"offload", []() -> task<> { EXPECT_EQ((co_await tare::offload([] { return fragile(1); })).id, 1); }},
      {"oneshot",
       []() -> task<> {
         auto [sender, receiver] = tare::make_oneshot<fragile>();
         EXPECT_TRUE(sender.send(fragile(1)));
         const auto got = co_await receiver.receive();
         EXPECT_TRUE(got.has_value());
       }},
  };
}

/// Runs `go` in a simulation of its own. Returns how many move_count there were.
int run_with(int number, const std::function<task<>()>& go) {
  move_count = 0;
  throwing_move = number;
  tare::sim::run({.twice = false}, [&](world& /*w*/) -> task<> {
    try {
      co_await go();
    } catch (const std::runtime_error&) {  // NOLINT(bugprone-empty-catch): the move, or the destructor
    }
  });
  return move_count;
}

TEST(sim_values, leave_nothing_behind_whichever_move_throws) {
  for (const way& each : ways()) {
    const int most = run_with(0, each.go);
    EXPECT_EQ(live, 0) << each.name;
    for (int number = 1; number <= most; ++number) {
      (void)run_with(number, each.go);
      EXPECT_EQ(live, 0) << each.name << ", move " << number << " of " << most;
    }
  }
}

TEST(sim_values, go_with_the_task_whose_last_local_throws) {
  const std::vector<way> throwing = {
      {"a result", []() -> task<> { (void)co_await make_and_throw(1); }},
      {"shield", []() -> task<> { (void)co_await tare::shield(make_and_throw(1)); }},
      {"when_all", []() -> task<> { (void)co_await tare::when_all(make(1), make_and_throw(2), make_later(3)); }},
      {"when_any", []() -> task<> { (void)co_await tare::when_any(make_later(1), make_and_throw(2)); }},
      {"timeout", []() -> task<> { (void)co_await tare::timeout(1s, make_and_throw(1)); }},
  };
  for (const way& each : throwing) {
    (void)run_with(0, each.go);
    EXPECT_EQ(live, 0) << each.name;
  }
}

/// Senders of numbered values, of which each is sent again if a move has thrown before it was taken.
task<> send_all(tare::channel<fragile>& into, int count) {
  co_await tare::with_scope([&, count](tare::scope& s) -> task<> {
    for (int id = 1; id <= count; ++id) {
      s.spawn([&into, id]() -> task<> {
        for (;;) {
          try {
            fragile value(id);
            const auto sent = co_await into.send(std::move(value));
            EXPECT_TRUE(sent.has_value());
            co_return;
          } catch (const std::runtime_error&) {  // NOLINT(bugprone-empty-catch): once more
          }
        }
      });
    }
    co_return;
  });
}

/// Takes until there has been nothing for a while.
task<> take_all(tare::channel<fragile>& from, std::map<int, int>& taken) {
  for (int idle = 0; idle < 3;) {
    try {
      if (const auto got = from.try_receive()) {
        ++taken[got->id];
        continue;
      }
    } catch (const std::runtime_error&) {
      continue;
    }
    ++idle;
    co_await tare::sleep_for(1ms);
  }
}

TEST(sim_values, a_channel_keeps_what_could_not_be_moved) {
  constexpr int count = 5;
  for (const std::size_t capacity : {0U, 1U, 2U, 3U}) {
    std::map<int, int> taken;
    const auto go = [&]() -> task<> {
      tare::channel<fragile> values(capacity);
      auto sending = tare::spawn_handle([&]() -> task<> { co_await send_all(values, count); });
      co_await tare::sleep_for(1ms);
      co_await take_all(values, taken);
      co_await sending;
    };
    const int most = run_with(0, go);
    for (int number = 0; number <= most; ++number) {
      taken.clear();
      (void)run_with(number, go);
      EXPECT_EQ(live, 0);
      for (int id = 1; id <= count; ++id) {
        EXPECT_EQ(taken[id], 1) << "value " << id << ", capacity " << capacity << ", move " << number;
      }
      EXPECT_EQ(taken[0], 0) << "a value that had been moved away";
    }
  }
}

}  // namespace
