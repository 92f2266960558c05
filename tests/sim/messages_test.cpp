// Messages between tasks on several shards under many seeds: sent, selected, timed out, cancelled. None arrives twice,
// and each that was reported as sent arrives or is still there.

#include "sim/on_shards.hpp"

#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;
using tare::testing::on_shards;
using tare::testing::shards;
using tare::testing::some_time;

/// A value that shows when it is used after its end.
class token {
 public:
  static inline int live = 0;

  explicit token(int number) : id_(number) { ++live; }
  token(token&& other) noexcept : id_(std::exchange(other.id_, -1)) { ++live; }
  token& operator=(token&& other) noexcept {
    id_ = std::exchange(other.id_, -1);
    return *this;
  }
  token(const token&) = delete;
  token& operator=(const token&) = delete;
  ~token() {
    id_ = -2;
    --live;
  }
  [[nodiscard]] int id() const noexcept { return id_; }

 private:
  int id_;
};

struct post_office {
  tare::channel<token> first;
  tare::channel<token> second;
  int next = 0;
  std::set<int> sent;        ///< reported as sent
  std::set<int> unsent;      ///< reported as not sent
  std::map<int, int> taken;  ///< how often
  bool cancels = false;      ///< what a cancelled task was doing is unknown

  post_office(std::size_t one, std::size_t other) : first(one), second(other) {}
};

task<> send_some(world& w, post_office& by) {
  for (int i = 0; i < 4; ++i) {
    const int id = ++by.next;
    bool done = false;
    switch (w.random_below(4)) {
      case 0: {
        const auto got =
            co_await tare::select(by.first.send(token(id)), by.second.send(token(id)), tare::sleep_for(some_time(w)));
        done = got.index() < 2;
        break;
      }
      case 1: {
        token value(id);
        done = by.first.try_send(value);
        break;
      }
      case 2: {
        const auto got = co_await tare::select(tare::sleep_for(some_time(w, 300)), by.second.send(token(id)));
        done = got.index() == 1;
        break;
      }
      default: {
        const auto got = co_await tare::timeout(some_time(w), by.first.send(token(id)));
        // A value that arrives at the moment when the time is up may have been taken.
        if (!got) continue;
        done = got->has_value();
      }
    }
    (done ? by.sent : by.unsent).insert(id);
    if (w.random_below(2) == 0) co_await tare::sleep_for(some_time(w, 200));
  }
}

task<> take_some(world& w, post_office& by) {
  for (int i = 0; i < 5; ++i) {
    switch (w.random_below(3)) {
      case 0: {
        const auto got = co_await tare::select(by.first.receive(), by.second.receive(), tare::sleep_for(some_time(w)));
        if (got.index() == 0 && std::get<0>(got)) ++by.taken[std::get<0>(got)->id()];
        if (got.index() == 1 && std::get<1>(got)) ++by.taken[std::get<1>(got)->id()];
        break;
      }
      case 1: {
        // Sends or receives, whichever comes first.
        const int id = ++by.next;
        const auto got =
            co_await tare::select(by.first.send(token(id)), by.second.receive(), tare::sleep_for(some_time(w)));
        (got.index() == 0 ? by.sent : by.unsent).insert(id);
        if (got.index() == 1 && std::get<1>(got)) ++by.taken[std::get<1>(got)->id()];
        break;
      }
      default:
        if (const auto got = by.second.try_receive()) ++by.taken[got->id()];
    }
    if (w.random_below(2) == 0) co_await tare::sleep_for(some_time(w, 200));
  }
}

task<> exchange_messages(world& w) {
  post_office by(w.random_below(3), w.random_below(3));
  by.cancels = w.random_below(2) == 0;
  std::vector<tare::handle<void>> tasks;
  co_await tare::with_scope([&](tare::scope& s) -> task<> {
    for (tare::shard_id i = 0; i < 6; ++i) {
      const auto run = [&w, &by, i]() -> task<> {
        co_await tare::resume_on(i % shards);
        auto moving = i < 3 ? send_some(w, by) : take_some(w, by);  // g++ 12 would destroy it twice in the await
        co_await std::move(moving);
      };
      tasks.push_back(s.spawn_handle(run));
    }
    if (by.cancels) {
      co_await tare::sleep_for(some_time(w, 4000));
      tasks[w.random_below(tasks.size())].cancel();
    }
  });
  while (const auto left = by.first.try_receive()) ++by.taken[left->id()];
  while (const auto left = by.second.try_receive()) ++by.taken[left->id()];
  for (const auto& [id, times] : by.taken) {
    EXPECT_EQ(times, 1) << id;
    EXPECT_FALSE(by.unsent.contains(id)) << id << " was not sent";
    EXPECT_GT(id, 0);
  }
  std::size_t lost = 0;
  for (const int id : by.sent) lost += by.taken.contains(id) ? 0U : 1U;
  // The task that was cancelled may have taken one.
  EXPECT_LE(lost, by.cancels ? 1U : 0U);
}

/// One half on this shard, the other one elsewhere, in all states.
task<> hand_over(world& w) {
  auto [sender, receiver] = tare::make_oneshot<token>();
  std::optional<bool> sent;
  const auto how = w.random_below(4);
  const auto when = some_time(w);
  auto send = [by = std::move(sender), how, &sent, when]() mutable {
    std::this_thread::sleep_for(when);
    if (how != 0) sent = by.send(token(7));
    // Otherwise it is destroyed unused.
    const auto gone = std::move(by);
  };
  std::jthread elsewhere(std::move(send));
  std::optional<int> got;
  bool closed = false;
  const auto wait_for = some_time(w);
  for (int i = 0; i < 2 && !got && !closed; ++i) {
    switch (w.random_below(3)) {
      case 0: {
        auto value = co_await tare::timeout(wait_for, receiver.receive());
        if (value && *value) got = (**value).id();
        closed = value && !*value;
        break;
      }
      case 1: {
        auto value = co_await tare::select(receiver.receive(), tare::sleep_for(wait_for));
        if (value.index() == 0 && std::get<0>(value)) got = std::get<0>(value)->id();
        closed = value.index() == 0 && !std::get<0>(value);
        break;
      }
      default: {
        auto running = tare::spawn_handle([&]() -> task<> {
          auto value = co_await receiver.receive();
          if (value) got = value->id();
          closed = !value;
        });
        co_await tare::sleep_for(wait_for);
        running.cancel();
        try {
          co_await running;
        } catch (const tare::task_cancelled&) {  // NOLINT(bugprone-empty-catch): this one
        }
      }
    }
  }
  const bool leaves = w.random_below(2) == 0;
  if (leaves && !got) {
    const auto gone = std::move(receiver);
  }
  elsewhere.join();
  if (!leaves && !got && !closed) {
    auto value = co_await receiver.receive();  // NOLINT(bugprone-use-after-move): moved only if it leaves
    if (value) got = value->id();
    closed = !value;
    EXPECT_EQ(got.has_value(), sent.value_or(false));
  }
  EXPECT_TRUE(!got || *got == 7);
  EXPECT_TRUE(!closed || how == 0 || got) << "closed although it was sent";
  EXPECT_TRUE(!got || sent == true);
}

void repeat_on_shards(task<> (*scenario)(world&)) {
  on_shards(300, [scenario](world& w) -> task<> {
    for (int i = 0; i < 3; ++i) co_await scenario(w);
    EXPECT_EQ(token::live, 0);
  });
}

TEST(sim_messages, arrive_once) { repeat_on_shards(exchange_messages); }

TEST(sim_messages, between_the_halves_of_a_oneshot) { repeat_on_shards(hand_over); }

}  // namespace
