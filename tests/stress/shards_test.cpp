// The primitives, used by tasks on three shards that give up at random moments: whatever the race between a grant and a
// cancellation, nothing is delivered twice, lost, or held by no task.

#include "frame/poison.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <random>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

constexpr unsigned shards = 3;
constexpr unsigned workers = 24;

class shards_test : public testing::TestWithParam<unsigned> {
 protected:
  /// Runs `make(number, random)` for each worker, distributed over the shards, and waits for all of them.
  template <class Make>
  void spread(Make make) {
    auto body = [&]() -> task<> {
      co_await tare::with_scope([&](tare::scope& s) -> task<> {
        for (unsigned number = 0; number < workers; ++number) {
          s.spawn_on(number % shards, make(number, std::mt19937(GetParam() * workers + number)));
        }
        co_return;
      });
    };
    rt_.run(body());
  }

  static std::chrono::microseconds patience(std::mt19937& random) {
    return std::chrono::microseconds(random() % 4 == 0 ? random() % 2000 : 1'000'000);
  }

  tare::runtime rt_{{.shards = shards}};
};

TEST_P(shards_test, a_channel_delivers_each_value_that_was_sent_exactly_once) {
  constexpr int each = 300;
  tare::channel<int> numbers(GetParam() % 4);
  std::vector<std::atomic<int>> balance(static_cast<std::size_t>(workers) * each);  // sent minus received
  std::atomic<unsigned> sending = workers / 2;
  std::atomic<int> given_up = 0;
  auto produce = [&](unsigned number, std::mt19937 random) -> task<> {
    for (int i = 0; i < each; ++i) {
      const int value = static_cast<int>(number) * each + i;
      const auto sent = co_await tare::timeout(patience(random), numbers.send(value));
      if (sent && sent->has_value()) {
        ++balance[static_cast<std::size_t>(value)];
      } else {
        ++given_up;
      }
      if (random() % 32 == 0) co_await tare::sleep_for(1ms);
    }
    if (--sending == 0) numbers.close();
  };
  auto consume = [&](unsigned /*number*/, std::mt19937 random) -> task<> {
    for (;;) {
      const auto received = co_await tare::timeout(patience(random), numbers.receive());
      if (!received) continue;
      if (!received->has_value()) co_return;
      --balance[static_cast<std::size_t>(**received)];
      if (random() % 32 == 0) co_await tare::sleep_for(1ms);
    }
  };
  spread([&](unsigned number, std::mt19937 random) -> task<> {
    return number % 2 == 0 ? produce(number, random) : consume(number, random);
  });
  for (const auto& each_value : balance) ASSERT_EQ(each_value, 0);
}

TEST_P(shards_test, a_semaphore_never_gives_more_than_it_has_and_gets_all_of_it_back) {
  constexpr std::size_t permits = 5;
  tare::semaphore free(permits);
  std::atomic<std::size_t> held = 0;
  std::atomic<int> granted = 0;
  std::atomic<int> given_up = 0;
  spread([&](unsigned /*number*/, std::mt19937 random) -> task<> {
    for (int i = 0; i < 200; ++i) {
      const std::size_t wanted = 1 + random() % permits;
      auto permit = co_await tare::timeout(patience(random), free.acquire(wanted));
      if (!permit) {
        ++given_up;
        continue;
      }
      ++granted;
      EXPECT_LE(held += wanted, permits);
      if (random() % 8 == 0) co_await tare::sleep_for(1ms);
      if (random() % 8 == 0) co_await tare::resume_on(static_cast<unsigned>(random()) % shards);
      held -= wanted;
    }
  });
  EXPECT_EQ(held, 0U);
  EXPECT_EQ(free.available(), permits);
  EXPECT_EQ(granted + given_up, static_cast<int>(workers) * 200);
  EXPECT_GT(given_up, 0) << "no wait was ever given up";
}

TEST_P(shards_test, a_mutex_has_one_holder) {
  tare::mutex m;
  long counter = 0;  // guarded by m, so that ThreadSanitizer checks it too
  std::atomic<long> counted = 0;
  spread([&](unsigned /*number*/, std::mt19937 random) -> task<> {
    for (int i = 0; i < 3000; ++i) {
      const auto guard = co_await tare::timeout(patience(random), m.lock());
      if (!guard) continue;
      const long seen = counter;
      if (random() % 16 == 0) co_await tare::yield();
      counter = seen + 1;
      ++counted;
    }
  });
  EXPECT_EQ(counter, counted);
  EXPECT_TRUE(m.try_lock());
}

task<int> deep(int depth, std::mt19937& random) {
  if (depth == 0) {
    co_await tare::resume_on(static_cast<unsigned>(random()) % shards);
    co_return 1;
  }
  const int below = co_await deep(depth - 1, random);
  if (random() % 4 == 0) co_await tare::resume_on(static_cast<unsigned>(random()) % shards);
  co_return below + 1;
}

TEST_P(shards_test, frames_that_end_on_other_shards_than_they_began_on_come_home) {
  const std::size_t before = rt_.frame_bytes();
  spread([&](unsigned /*number*/, std::mt19937 random) -> task<> {
    for (int i = 0; i < 100; ++i) {
      const int depth = static_cast<int>(random() % 30);
      EXPECT_EQ(co_await deep(depth, random), depth + 1);
    }
  });
  // An idle shard returns its memory after a while; what it frees for another shard may wake that one again.
  for (int i = 0; i < 200 && rt_.frame_bytes() > before + (std::size_t{256} << 10U); ++i) {
    rt_.run([]() -> task<> { co_await tare::sleep_for(5ms); }());
  }
  // AddressSanitizer's quarantine holds back some freed frames.
  if (!tare::detail::poisoning) {
    EXPECT_LE(rt_.frame_bytes(), before + (std::size_t{256} << 10U));
  }
}

TEST_P(shards_test, cancellation_finds_tasks_wherever_they_have_moved) {
  std::atomic<int> alive = 0;
  std::atomic<int> started = 0;
  struct counted {
    explicit counted(std::atomic<int>& of) : live(of) { ++live; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() { --live; }
    std::atomic<int>& live;
  };
  auto wander = [&](std::mt19937 random) -> task<> {
    const counted here(alive);
    ++started;
    for (;;) {
      co_await tare::resume_on(static_cast<unsigned>(random()) % shards);
      if (random() % 2 == 0) co_await tare::sleep_for(std::chrono::microseconds(random() % 3000));
      co_await tare::yield();
    }
  };
  spread([&](unsigned number, std::mt19937 random) -> task<> {
    for (int round = 0; round < 10; ++round) {
      co_await tare::with_scope([&](tare::scope& s) -> task<> {
        for (unsigned i = 0; i < 8; ++i) s.spawn_on((number + i) % shards, wander(std::mt19937(random())));
        co_await tare::sleep_for(std::chrono::microseconds(random() % 3000));
        s.cancel();
      });
    }
  });
  EXPECT_EQ(alive, 0);
  EXPECT_GT(started, 0);
}

INSTANTIATE_TEST_SUITE_P(seeds, shards_test, testing::Range(1U, 5U));

}  // namespace
