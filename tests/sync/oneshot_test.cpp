// The halves of a oneshot: every order of what sender, receiver and task may do, and threads.

#include <tare/oneshot.hpp>

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::oneshot_receiver;
using tare::oneshot_sender;
using tare::task;

static_assert(sizeof(oneshot_sender<int>) == 8 && sizeof(oneshot_receiver<int>) == 8);
static_assert(sizeof(oneshot_receiver<int>::receive_awaiter) == 48);
static_assert(!std::is_copy_constructible_v<oneshot_sender<int>>);
static_assert(std::is_nothrow_move_constructible_v<oneshot_sender<int>>);

/// Counts the values that exist.
struct counted {
  static inline std::atomic<int> alive = 0;
  explicit counted(int n) : number(n) { ++alive; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  counted(counted&& other) noexcept : number(other.number) { ++alive; }
  counted& operator=(counted&& other) noexcept = default;
  ~counted() { --alive; }
  int number;
};

void run_virtual(task<> body) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(std::move(body));
}

TEST(oneshot_halves, a_value_sent_before_is_received) {
  auto body = []() -> task<> {
    auto [sender, receiver] = tare::make_oneshot<std::string>();
    EXPECT_TRUE(sender.is_wanted());
    EXPECT_TRUE(sender.send("hello"));
    EXPECT_FALSE(sender.send("again"));
    EXPECT_FALSE(sender.is_wanted());
    auto got = co_await receiver.receive();
    EXPECT_EQ(got.value(), "hello");
    EXPECT_FALSE((co_await receiver.receive()).has_value());  // once
  };
  run_virtual(body());
}

TEST(oneshot_halves, a_value_wakes_the_receiver) {
  auto sends = [](oneshot_sender<int> sender) -> task<> {
    co_await tare::sleep_for(1s);
    EXPECT_TRUE(sender.send(7));
  };
  auto body = [&]() -> task<> {
    auto [sender, receiver] = tare::make_oneshot<int>();
    tare::spawn(sends(std::move(sender)));
    const auto begin = tare::now();
    auto got = co_await receiver.receive();
    EXPECT_EQ(got.value(), 7);
    EXPECT_EQ(tare::now() - begin, 1s);
  };
  run_virtual(body());
}

TEST(oneshot_halves, a_value_that_is_refused_stays_with_the_caller) {
  auto [sender, receiver] = tare::make_oneshot<std::unique_ptr<int>>();
  {
    const auto gone = std::move(receiver);
  }
  auto value = std::make_unique<int>(7);
  EXPECT_FALSE(sender.is_wanted());
  EXPECT_FALSE(sender.send(std::move(value)));
  ASSERT_NE(value, nullptr);  // NOLINT(bugprone-use-after-move): that is the test
  oneshot_sender<std::unique_ptr<int>> none;
  EXPECT_FALSE(none.send(std::move(value)));
  EXPECT_NE(value, nullptr);
}

// --- every order ----------------------------------------------------------------------------------------------------

enum class step : std::uint8_t { send, drop_sender, drop_receiver, cancel, time_out, receive };

/// What the task that receives has got.
enum class outcome : std::uint8_t { nothing_yet, value, closed, cancelled };

struct world {
  std::optional<oneshot_sender<counted>> sender;
  std::optional<oneshot_receiver<counted>> receiver;
  outcome got = outcome::nothing_yet;
  bool sent = false;

  explicit world(tare::oneshot_halves<counted> halves)
      : sender(std::move(halves.sender)), receiver(std::move(halves.receiver)) {}
};

task<> receive_once(world& in) {
  try {
    auto got = co_await in.receiver->receive();
    if (got) {
      EXPECT_EQ(got->number, 42);
    }
    in.got = got ? outcome::value : outcome::closed;
  } catch (const tare::cancelled&) {
    in.got = outcome::cancelled;
    throw;
  }
}

/// Carries out the steps while a task waits in `receive` from the beginning.
task<> play(const std::vector<step>& steps) {
  world in(tare::make_oneshot<counted>());
  tare::scope waiting;
  waiting.spawn(receive_once(in));
  co_await tare::yield();
  bool cancelled = false;
  bool receiver_was_dropped = false;
  bool closed = false;
  std::string name;
  for (const step each : steps) {
    name += std::to_string(static_cast<int>(each));
    switch (each) {
      case step::send: {
        const bool had_sender = in.sender.has_value();
        const bool sent = had_sender && in.sender->send(counted(42));
        EXPECT_EQ(sent, had_sender && !receiver_was_dropped && !in.sent) << name;
        in.sent = in.sent || sent;
        break;
      }
      case step::drop_sender:
        in.sender.reset();
        closed = true;
        break;
      case step::drop_receiver:
        in.receiver.reset();
        receiver_was_dropped = true;
        break;
      case step::cancel:
        waiting.cancel();
        cancelled = true;
        break;
      case step::time_out:
        if (in.receiver) {
          auto again = [](world& of) -> task<std::expected<counted, tare::closed>> {
            co_return co_await of.receiver->receive();
          };
          // While somebody else waits: it must take nothing unless it gives it.
          if (in.got == outcome::nothing_yet) break;
          auto late = co_await tare::timeout(1ms, again(in));
          if (late && late->has_value()) {
            EXPECT_EQ(in.got, outcome::cancelled) << name;
            in.got = outcome::value;
          }
        }
        break;
      case step::receive:
        co_await tare::sleep_for(1ms);
        break;
    }
  }
  co_await tare::sleep_for(1ms);
  if (in.got == outcome::nothing_yet) {
    EXPECT_FALSE(in.sent || closed || receiver_was_dropped || cancelled) << name;
    in.sender.reset();
  }
  co_await waiting.join();
  if (in.sent && in.got != outcome::value && in.receiver) {
    // A receive that was cancelled has taken nothing.
    EXPECT_EQ(in.got, outcome::cancelled) << name;
    const auto kept = in.receiver->try_receive();
    EXPECT_TRUE(kept.has_value()) << name;
  }
  in.sender.reset();
  in.receiver.reset();
  EXPECT_EQ(counted::alive, 0) << name;
}

TEST(oneshot_halves, every_order_of_steps) {
  constexpr int kinds = 6;
  constexpr int longest = 5;
  auto body = []() -> task<> {
    std::vector<step> steps;
    for (int length = 0; length <= longest; ++length) {
      int orders = 1;
      for (int i = 0; i < length; ++i) orders *= kinds;
      for (int order = 0; order < orders; ++order) {
        steps.clear();
        for (int i = 0, left = order; i < length; ++i, left /= kinds) steps.push_back(static_cast<step>(left % kinds));
        co_await play(steps);
      }
    }
  };
  run_virtual(body());
  EXPECT_EQ(counted::alive, 0);
}

TEST(oneshot_halves, a_cancelled_receive_has_taken_nothing) {
  auto body = []() -> task<> {
    auto [sender, receiver] = tare::make_oneshot<int>();
    auto waits = [](oneshot_receiver<int>& from) -> task<std::expected<int, tare::closed>> {
      co_return co_await from.receive();
    };
    for (int i = 0; i < 3; ++i) EXPECT_FALSE((co_await tare::timeout(1s, waits(receiver))).has_value());
    EXPECT_TRUE(sender.send(9));
    const auto got = co_await tare::timeout(1s, receiver.receive());
    EXPECT_EQ(got.value().value(), 9);
  };
  run_virtual(body());
}

TEST(oneshot_halves, a_value_that_has_come_before_the_cancellation_is_given) {
  auto body = []() -> task<> {
    auto [sender, receiver] = tare::make_oneshot<int>();
    int got = 0;
    auto waits = [](oneshot_receiver<int>& from, int& into) -> task<> { into = (co_await from.receive()).value(); };
    tare::scope s;
    s.spawn(waits(receiver, got));
    co_await tare::yield();
    EXPECT_TRUE(sender.send(5));
    s.cancel();  // before the task has had its turn
    co_await s.join();
    EXPECT_EQ(got, 5);
  };
  run_virtual(body());
}

TEST(oneshot_halves, a_dropped_sender_is_reported) {
  auto body = []() -> task<> {
    auto halves = tare::make_oneshot<int>();
    {
      const auto dropped = std::move(halves.sender);
    }
    EXPECT_FALSE((co_await halves.receiver.receive()).has_value());
    auto closed = tare::make_oneshot<int>();
    closed.sender.close();
    closed.sender.close();
    EXPECT_FALSE(closed.sender.send(1));
    EXPECT_FALSE((co_await closed.receiver.receive()).has_value());
    // Overwritten, it is dropped.
    auto overwritten = tare::make_oneshot<int>();
    overwritten.sender = {};
    EXPECT_FALSE((co_await overwritten.receiver.receive()).has_value());
    oneshot_receiver<int> none;
    EXPECT_FALSE((co_await none.receive()).has_value());
    EXPECT_FALSE(none.try_receive().has_value());
  };
  run_virtual(body());
}

struct throws_when_moved {
  explicit throws_when_moved(int left) : moves_left(left) {}
  throws_when_moved(const throws_when_moved&) = delete;
  throws_when_moved& operator=(const throws_when_moved&) = delete;
  // NOLINTNEXTLINE(performance-noexcept-move-constructor,bugprone-exception-escape): it throws
  throws_when_moved(throws_when_moved&& other) : moves_left(other.moves_left - 1) {
    --other.moves_left;
    if (moves_left < 0) throw std::runtime_error("moved");
  }
  throws_when_moved& operator=(throws_when_moved&&) = default;
  ~throws_when_moved() = default;
  int moves_left;
};

TEST(oneshot_halves, a_send_whose_move_throws_has_sent_nothing) {
  auto body = []() -> task<> {
    auto [sender, receiver] = tare::make_oneshot<throws_when_moved>();
    EXPECT_THROW(sender.send(throws_when_moved(0)), std::runtime_error);
    EXPECT_TRUE(sender.is_wanted());
    EXPECT_TRUE(sender.send(throws_when_moved(100)));
    EXPECT_TRUE((co_await receiver.receive()).has_value());
  };
  run_virtual(body());
}

// --- threads --------------------------------------------------------------------------------------------------------

TEST(oneshot_halves, the_callback_may_come_when_the_task_has_given_up) {
  std::thread late;
  auto ask = [&late]() -> task<int> {
    auto [sender, receiver] = tare::make_oneshot<int>();
    late = std::thread([s = std::move(sender)]() mutable {
      std::this_thread::sleep_for(20ms);
      EXPECT_FALSE(s.send(7));
    });
    co_return (co_await receiver.receive()).value_or(-1);
  };
  auto body = [&]() -> task<> { EXPECT_FALSE((co_await tare::timeout(1ms, ask())).has_value()); };
  tare::run(body());
  late.join();
}

TEST(oneshot_halves, may_come_when_the_runtime_has_ended) {
  auto halves = tare::make_oneshot<std::string>();
  auto waits = [](oneshot_receiver<std::string>& from) -> task<> { (void)co_await from.receive(); };
  tare::run(
      [](auto& wait, auto& from) -> task<> { (void)co_await tare::timeout(1ms, wait(from)); }(waits, halves.receiver));
  EXPECT_TRUE(halves.sender.send("late"));
  // Another runtime receives it.
  tare::run([](oneshot_receiver<std::string>& from) -> task<> {
    EXPECT_EQ((co_await from.receive()).value(), "late");
  }(halves.receiver));
  auto unwanted = tare::make_oneshot<std::string>();
  tare::run([](oneshot_receiver<std::string> from) -> task<> {
    (void)co_await tare::timeout(1ms, from.receive());
  }(std::move(unwanted.receiver)));
  EXPECT_FALSE(unwanted.sender.send("later"));
}

TEST(oneshot_halves, send_and_cancel_meet_in_any_order) {
  std::atomic<int> received = 0;
  std::atomic<int> sent = 0;
  std::atomic<int> kept = 0;
  auto waits = [](oneshot_receiver<counted>& from, std::atomic<int>& count) -> task<> {
    if (co_await from.receive()) ++count;
  };
  auto one = [&](int round) -> task<> {
    auto [sender, receiver] = tare::make_oneshot<counted>();
    std::thread sends([s = std::move(sender), &sent, round]() mutable {
      for (volatile int spin = 0; spin < round % 50 * 20;) spin = spin + 1;
      if (round % 7 != 0 && s.send(counted(1))) ++sent;
    });
    const auto limit = std::chrono::microseconds(round % 3 == 0 ? 0 : 1000);
    const auto ended = co_await tare::timeout(limit, waits(receiver, received));
    (void)ended;
    if (round % 2 == 0) {
      sends.join();
      if (receiver.try_receive()) ++kept;
    } else {
      {
        const auto gone = std::move(receiver);
      }
      sends.join();
    }
  };
  auto body = [&]() -> task<> {
    for (int round = 0; round < 300; ++round) co_await one(round);
  };
  tare::run(body());
  EXPECT_LE(received + kept, sent);
  EXPECT_EQ(counted::alive, 0);
}

TEST(oneshot_halves, both_halves_may_go_at_once) {
  for (int round = 0; round < 300; ++round) {
    auto halves = tare::make_oneshot<counted>();
    std::thread drops([r = std::move(halves.receiver)]() mutable { const auto gone = std::move(r); });
    if (round % 2 == 0) (void)halves.sender.send(counted(1));
    {
      const auto gone = std::move(halves.sender);
    }
    drops.join();
  }
  EXPECT_EQ(counted::alive, 0);
}

TEST(oneshot_halves, work_between_shards) {
  auto sends = [](oneshot_sender<int> sender, int value) -> task<> {
    co_await tare::yield();
    EXPECT_TRUE(sender.send(int{value}));
  };
  auto body = [&]() -> task<> {
    for (int i = 0; i < 200; ++i) {
      auto [sender, receiver] = tare::make_oneshot<int>();
      tare::spawn_on(1, sends(std::move(sender), i));
      EXPECT_EQ((co_await receiver.receive()).value(), i);
    }
  };
  tare::runtime rt({.shards = 2});
  rt.run(body());
}

}  // namespace
