#include "support/orders.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::slow_receivers;
using tare::task;

struct counted {
  explicit counted(int n) : number(n) { ++alive; }
  counted(counted&& other) noexcept : number(other.number) { ++alive; }
  counted& operator=(counted&&) = default;
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { --alive; }
  int number;
  static inline std::atomic<int> alive = 0;
};

constexpr std::size_t capacity = 2;

/// What a receiver has got, as text: "3+1 " is value 3 after one was skipped.
std::string text(int number, std::uint64_t skipped) {
  return std::to_string(number) + "+" + std::to_string(skipped) + " ";
}

/// What should happen.
class model {
 public:
  explicit model(slow_receivers policy) : policy_(policy) {}

  /// The outcome of the send.
  char send(int number, std::size_t sender) {
    if (closed) return 'x';
    if (policy_ == slow_receivers::wait && size() == capacity) {
      senders_.emplace_back(number, sender);
      return '-';
    }
    accept(number);
    return 's';
  }
  /// Empty if there is nothing.
  std::string receive(std::size_t receiver) {
    std::size_t& cursor = *cursors.at(receiver);
    if (cursor == accepted_.size()) return "";
    const std::size_t at = std::max(cursor, first_);
    const std::size_t skipped = at - cursor;
    cursor = at + 1;
    const std::string got = text(accepted_[at], skipped);
    admit();
    return got;
  }
  void leave(std::size_t receiver) {
    cursors.at(receiver).reset();
    admit();
  }
  void cancel(std::size_t sender) {
    if (std::erase_if(senders_, [sender](const auto& each) { return each.second == sender; }) != 0) {
      outcomes[sender] = 'c';
    }
  }
  void close() {
    closed = true;
    for (const auto& each : senders_) outcomes[each.second] = 'x';
    senders_.clear();
  }
  [[nodiscard]] std::size_t size() const {
    std::size_t oldest = accepted_.size();
    for (const auto& cursor : cursors) {
      if (cursor) oldest = std::min(oldest, *cursor);
    }
    return accepted_.size() - std::max(oldest, first_);
  }

  std::array<std::optional<std::size_t>, 2> cursors{0, 0};
  std::string outcomes = std::string(8, ' ');
  bool closed = false;

 private:
  void accept(int number) {
    if (!cursors[0] && !cursors[1]) return;
    if (size() == capacity) first_ = accepted_.size() - capacity + 1;
    accepted_.push_back(number);
  }
  void admit() {
    while (!senders_.empty() && size() < capacity) {
      accept(senders_.front().first);
      outcomes[senders_.front().second] = 's';
      senders_.pop_front();
    }
  }

  slow_receivers policy_;
  std::vector<int> accepted_;
  std::size_t first_ = 0;
  std::deque<std::pair<int, std::size_t>> senders_;
};

struct world {
  explicit world(slow_receivers policy) : values(capacity, policy), expected(policy) {
    for (auto& each : receivers) each.emplace(values.subscribe());
  }

  tare::broadcast<counted> values;
  model expected;
  std::array<std::optional<tare::broadcast<counted>::receiver>, 2> receivers;
  std::string waiter_got;
  bool waits = false;
};

task<> send(world& in, int number, char& outcome) {
  const auto sent = co_await in.values.send(counted(number));
  outcome = sent ? 's' : 'x';
}

task<> receive(world& in) {
  try {
    auto got = co_await in.receivers[0]->receive();
    in.waiter_got = got ? text((*got)->number, got->skipped()) : "closed ";
  } catch (const tare::cancelled&) {
    in.waiter_got = "cancelled ";
    throw;
  }
}

/// The steps that concern the two receivers.
void play_receivers(world& in, char step, tare::scope& waiter, const std::string& order) {
  if (step == '0' || step == '1') {
    const std::size_t number = step == '0' ? 0 : 1;
    if (!in.receivers.at(number) || (number == 0 && in.waits)) return;
    auto got = in.receivers.at(number)->try_receive();
    EXPECT_EQ(got ? text((*got)->number, got->skipped()) : "", in.expected.receive(number)) << order;
  }
  if (step == 'w' && !in.waits) {
    in.waits = true;
    in.waiter_got.clear();
    waiter.spawn(receive(in));
  }
  if (step == 'd' && in.receivers[1]) {
    in.receivers[1].reset();
    in.expected.leave(1);
  }
}

/// s: a task sends; c: the youngest sender is cancelled; x: close; 0, 1: try to receive; w: receiver 0 waits; g: its
/// task is cancelled; d: receiver 1 is destroyed.
task<> play(slow_receivers policy, const std::string& order) {
  world in(policy);
  support::cancellable_tasks senders;
  tare::scope waiter;
  int number = 0;
  for (const char step : order) {
    if (step == 's') {
      ++number;
      const std::size_t sender = senders.begin([&](char& outcome) { return send(in, number, outcome); });
      in.expected.outcomes[sender] = in.expected.send(number, sender);
    }
    if (step == 'c' && senders.size() != 0) {
      senders.cancel(senders.size() - 1);
      in.expected.cancel(senders.size() - 1);
    }
    if (step == 'x') {
      in.values.close();
      in.expected.close();
    }
    play_receivers(in, step, waiter, order);
    co_await support::drain();
    if (in.waits) {
      std::string got = in.expected.receive(0);
      if (got.empty() && in.expected.closed) got = "closed ";
      if (step == 'g') {
        waiter.cancel();
        if (got.empty()) got = "cancelled ";
      }
      co_await support::drain();
      EXPECT_EQ(in.waiter_got, got) << order;
      in.waits = got.empty();
      if (!in.waits) co_await waiter.join();
    }
    EXPECT_EQ(in.values.size(), in.expected.size()) << order;
    EXPECT_EQ(senders.outcomes(), in.expected.outcomes) << order;
  }
  senders.cancel_all();
  waiter.cancel();
  co_await waiter.join();
  co_await senders.join();
  for (auto& each : in.receivers) each.reset();
  EXPECT_EQ(counted::alive, 0) << order;
}

TEST(broadcast, every_order_of_steps) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  for (const auto policy : {slow_receivers::skip, slow_receivers::wait}) {
    support::for_each_order("sc01wgdx", 4, [&](const std::string& order) {
      rt.run(play(policy, order));
      rt.run(play(policy, "sss" + order));
    });
  }
}

TEST(broadcast, keeps_one_copy_of_a_value_and_frees_it_when_all_have_it) {
  auto body = []() -> task<> {
    tare::broadcast<counted> values(8);
    std::vector<tare::broadcast<counted>::receiver> receivers;
    for (int i = 0; i < 100; ++i) receivers.push_back(values.subscribe());
    const auto sent = co_await values.send(counted(1));
    EXPECT_EQ(sent, 100U);
    EXPECT_EQ(counted::alive, 1);
    for (auto& each : receivers) {
      EXPECT_EQ(values.size(), 1U);
      const auto got = each.try_receive();
      EXPECT_TRUE(got && (*got)->number == 1);
    }
    EXPECT_EQ(values.size(), 0U);
    EXPECT_EQ(counted::alive, 0);
    const auto kept = co_await values.send(counted(2));
    EXPECT_TRUE(kept);
    std::shared_ptr<const counted> share;
    if (const auto got = receivers.front().try_receive()) share = got->share();
    receivers.clear();
    EXPECT_EQ(counted::alive, 1) << "one receiver still uses it";
    EXPECT_TRUE(share && share->number == 2);
    share.reset();
    EXPECT_EQ(counted::alive, 0);
    const auto to_none = co_await values.send(counted(3));
    EXPECT_EQ(to_none, 0U);
    EXPECT_EQ(counted::alive, 0);
  };
  tare::run(body());
}

class broadcast_stress : public testing::TestWithParam<unsigned> {};

TEST_P(broadcast_stress, each_receiver_gets_each_value_once_in_order_whatever_is_cancelled) {
  constexpr int senders = 3;
  constexpr int each = 120;
  const unsigned seed = GetParam();
  const auto policy = seed % 2 == 0 ? slow_receivers::wait : slow_receivers::skip;
  tare::runtime rt({.shards = 3});
  tare::broadcast<counted> values(1 + seed % 5, policy);
  std::array<std::atomic<int>, senders> sent{};
  std::atomic<int> sending = senders;
  auto patience = [](std::mt19937& random) {
    return std::chrono::microseconds(random() % 3 == 0 ? random() % 1500 : 1'000'000);
  };
  auto sends = [&](unsigned number) -> task<> {
    std::mt19937 random(seed * 100 + number);
    for (int i = 0; i < each; ++i) {
      const int value = static_cast<int>(number) * each + i;
      const auto done = co_await tare::timeout(patience(random), values.send(counted(value)));
      if (done && done->has_value()) ++sent.at(number);
      if (random() % 16 == 0) co_await tare::sleep_for(1ms);
    }
    if (--sending == 0) values.close();
  };
  auto receives = [&](unsigned number, tare::broadcast<counted>::receiver mine) -> task<> {
    std::mt19937 random(seed * 100 + 50 + number);
    std::array<int, senders> last{-1, -1, -1};
    std::uint64_t got_count = 0;
    for (;;) {
      std::optional<std::expected<tare::broadcast_value<counted>, tare::closed>> got;
      if (random() % 2 == 0) {
        auto in_time = co_await tare::timeout(patience(random), mine.receive());
        if (in_time) got.emplace(std::move(*in_time));
      } else {
        auto first = co_await tare::select(mine.receive(), tare::sleep_for(patience(random)));
        if (first.index() == 0) got.emplace(std::move(std::get<0>(first)));
      }
      if (!got) continue;
      if (!got->has_value()) break;
      const int value = (**got)->number;
      int& before = last.at(static_cast<std::size_t>(value / each));
      EXPECT_GT(value, before);
      before = value;
      got_count += 1 + (*got)->skipped();
      if (random() % 16 == 0) co_await tare::sleep_for(1ms);
    }
    EXPECT_EQ(got_count, static_cast<std::uint64_t>(sent[0] + sent[1] + sent[2]));
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (unsigned i = 0; i < 6; ++i) s.spawn_on(i % 3, receives(i, values.subscribe()));
      for (unsigned i = 0; i < senders; ++i) s.spawn_on(i, sends(i));
      co_return;
    });
  };
  rt.run(body());
  EXPECT_EQ(counted::alive, 0);
}

INSTANTIATE_TEST_SUITE_P(seeds, broadcast_stress, testing::Range(0U, 6U));

TEST(broadcast_death, names_the_call) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(tare::broadcast<int>(0), "broadcast::broadcast: the capacity must be at least 1");
  EXPECT_DEATH(
      {
        std::optional<tare::broadcast<int>> values(std::in_place, 1U);
        auto mine = values->subscribe();
        values.reset();
      },
      "broadcast::~broadcast: a receiver still exists");
  auto two_tasks = []() -> task<> {
    tare::broadcast<int> values(1);
    auto mine = values.subscribe();
    auto receive_one = [](tare::broadcast<int>::receiver& by) -> task<> { (void)co_await by.receive(); };
    co_await tare::when_all(receive_one(mine), receive_one(mine));
  };
  EXPECT_DEATH(tare::run(two_tasks()), "broadcast::receiver::receive: two tasks receive at the same time");
}

}  // namespace
