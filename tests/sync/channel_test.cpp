#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

class channel_test : public testing::TestWithParam<std::size_t> {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

TEST_P(channel_test, delivers_in_order) {
  auto produce = [](tare::channel<std::unique_ptr<int>>& into) -> task<> {
    for (int i = 0; i < 1000; ++i) {
      const auto sent = co_await into.send(std::make_unique<int>(i));
      EXPECT_TRUE(sent.has_value());
    }
    into.close();
  };
  auto body = [&]() -> task<> {
    tare::channel<std::unique_ptr<int>> numbers(GetParam());
    tare::scope s;
    s.spawn(produce(numbers));
    int expected = 0;
    for (;;) {
      auto next = co_await numbers.receive();
      if (!next) break;
      EXPECT_EQ(**next, expected++);
      EXPECT_LE(numbers.size(), GetParam());
    }
    EXPECT_EQ(expected, 1000);
    co_await s.join();
  };
  rt_.run(body());
}

TEST_P(channel_test, close_fails_waiting_senders_and_wakes_receivers) {
  int refused = 0;
  int ended = 0;
  auto send = [&](tare::channel<int>& into) -> task<> {
    if (!co_await into.send(1)) ++refused;
  };
  auto receive = [&](tare::channel<int>& from) -> task<> {
    if (!co_await from.receive()) ++ended;
  };
  auto body = [&]() -> task<> {
    tare::channel<int> full(GetParam());
    tare::scope s;
    for (std::size_t i = 0; i < GetParam() + 5; ++i) s.spawn(send(full));
    co_await tare::yield();
    full.close();
    co_await s.join();
    EXPECT_EQ(refused, 5);
    EXPECT_EQ(full.size(), GetParam());

    tare::channel<int> empty(GetParam());
    for (int i = 0; i < 5; ++i) s.spawn(receive(empty));
    co_await tare::yield();
    empty.close();
    co_await s.join();
    EXPECT_EQ(ended, 5);
  };
  rt_.run(body());
}

TEST_P(channel_test, a_cancelled_receive_loses_no_value) {
  int received = 0;
  auto receive = [&](tare::channel<int>& from) -> task<> {
    if (co_await from.receive()) ++received;
    co_await tare::sleep_for(1h);
  };
  auto body = [&]() -> task<> {
    tare::channel<int> numbers(GetParam());
    tare::scope s;
    s.spawn(receive(numbers));
    co_await tare::yield();
    int one = 1;
    EXPECT_TRUE(numbers.try_send(one));  // handed to the receiver
    s.cancel();
    co_await s.join();
    EXPECT_EQ(received, 1);

    tare::scope waiting;
    waiting.spawn(receive(numbers));
    co_await tare::yield();
    waiting.cancel();
    co_await waiting.join();
    EXPECT_EQ(received, 1);
    EXPECT_EQ(numbers.try_send(one), GetParam() != 0);  // nobody waits any more
  };
  rt_.run(body());
}

TEST_P(channel_test, try_receive_takes_what_is_there_and_never_waits) {
  auto body = [&]() -> task<> {
    tare::channel<int> numbers(GetParam());
    EXPECT_EQ(numbers.try_receive(), std::nullopt);
    constexpr int count = 10;  // more than there is room for
    int sent = 0;
    tare::scope s;
    auto send = [&](int number) -> task<> {
      const auto done = co_await numbers.send(number);
      if (done) ++sent;
    };
    for (int i = 0; i < count; ++i) s.spawn(send(i));
    co_await tare::yield();
    EXPECT_EQ(sent, static_cast<int>(GetParam())) << "the others wait";
    for (int i = 0; i < count; ++i) EXPECT_EQ(numbers.try_receive(), i) << "whether from the buffer or from a sender";
    EXPECT_EQ(numbers.try_receive(), std::nullopt);
    co_await s.join();
    EXPECT_EQ(sent, count) << "each sender whose value was taken goes on";

    // Closed: what is in the buffer can still be taken.
    int last = 7;
    EXPECT_EQ(numbers.try_send(last), GetParam() > 0);
    numbers.close();
    EXPECT_EQ(numbers.try_receive(), GetParam() > 0 ? std::optional(7) : std::nullopt);
    EXPECT_EQ(numbers.try_receive(), std::nullopt);
  };
  rt_.run(body());
}

TEST_P(channel_test, try_receive_leaves_a_value_to_the_receiver_that_waits) {
  auto body = [&]() -> task<> {
    tare::channel<int> numbers(GetParam());
    int got = 0;
    tare::scope s;
    auto receive = [&]() -> task<> {
      const auto next = co_await numbers.receive();
      if (next) got = *next;
    };
    s.spawn(receive());
    co_await tare::yield();
    int value = 3;
    EXPECT_TRUE(numbers.try_send(value));
    EXPECT_EQ(numbers.try_receive(), std::nullopt) << "it has gone to the one that waits";
    co_await s.join();
    EXPECT_EQ(got, 3);
  };
  rt_.run(body());
}

INSTANTIATE_TEST_SUITE_P(capacities, channel_test, testing::Values(0, 1, 7));

TEST(channel, many_senders_and_receivers_on_many_shards) {
  constexpr int senders = 6;
  constexpr int each = 2000;
  tare::runtime rt({.shards = 3});
  tare::channel<int> numbers(16);
  tare::latch sent(senders);
  tare::latch received(senders);
  std::atomic<long> sum = 0;
  std::atomic<int> count = 0;
  auto produce = [&]() -> task<> {
    for (int i = 1; i <= each; ++i) {
      const auto result = co_await numbers.send(i);
      EXPECT_TRUE(result.has_value());
    }
    sent.count_down();
  };
  auto consume = [&]() -> task<> {
    while (auto next = co_await numbers.receive()) {
      sum += *next;
      ++count;
    }
    received.count_down();
  };
  auto body = [&]() -> task<> {
    for (unsigned i = 0; i < senders; ++i) {
      tare::spawn_on(i % 3, produce());
      tare::spawn_on((i + 1) % 3, consume());
    }
    co_await sent.wait();
    numbers.close();
    co_await received.wait();
  };
  rt.run(body());
  EXPECT_EQ(count, senders * each);
  EXPECT_EQ(sum, long{senders} * each * (each + 1) / 2);
}

/// Throws at one of its moves.
struct fragile {
  explicit fragile(int n) : number(n) {}
  // NOLINTNEXTLINE(performance-noexcept-move-constructor,bugprone-exception-escape): it throws
  fragile(fragile&& other) : number(other.number) {
    if (moves_left < 0) return;
    --moves_left;
    if (moves_left < 0) throw std::runtime_error("move");
  }
  fragile& operator=(fragile&&) = default;
  fragile(const fragile&) = delete;
  fragile& operator=(const fragile&) = delete;
  ~fragile() = default;
  int number;
  static inline int moves_left = -1;
};

TEST(channel_throwing, loses_no_value_to_a_move_of_another_one_that_throws) {
  for (const bool by_task : {false, true}) {
    for (const std::size_t capacity : {0U, 1U, 2U}) {
      for (int nth = 0; nth < 6; ++nth) {
        std::vector<int> received;
        auto body = [&]() -> tare::task<> {
          tare::channel<fragile> values(capacity);
          co_await tare::with_scope([&](tare::scope& s) -> tare::task<> {
            auto sends = [&](int number) -> tare::task<> { (void)co_await values.send(fragile(number)); };
            for (int number = 1; number <= 4; ++number) s.spawn(sends(number));
            for (int i = 0; i < 4; ++i) co_await tare::yield();
            fragile::moves_left = nth;
            for (int i = 0; i < 5; ++i) {
              try {
                if (by_task) {
                  if (auto got = co_await tare::timeout(1ms, values.receive()); got) {
                    received.push_back((*got)->number);
                  }
                } else if (auto got = values.try_receive(); got) {
                  received.push_back(got->number);
                }
              } catch (const std::runtime_error&) {
                continue;
              }
              co_await tare::yield();
            }
            fragile::moves_left = -1;
            values.close();
          });
        };
        tare::runtime rt({.clock = tare::clock_kind::virtual_time});
        rt.run(body());
        // The one whose own last move threw may be gone; no other one.
        EXPECT_GE(received.size(), by_task ? 3U : 4U) << capacity << " " << nth;
      }
    }
  }
}

}  // namespace
