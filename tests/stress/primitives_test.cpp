// Primitives under tasks of three shards that are cancelled at random moments: a notification, a permit or a lock that
// a cancelled task was to have goes to another one.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <random>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using microseconds = std::chrono::microseconds;

constexpr unsigned shards = 3;
constexpr unsigned workers = 12;

class primitives : public testing::TestWithParam<unsigned> {
 protected:
  /// Runs `make(number, random)` for each worker, spread over the shards, and `beside()` on shard 0.
  template <class Make, class Beside>
  void spread(unsigned round, Make make, Beside beside) {
    auto body = [&]() -> task<> {
      co_await tare::with_scope([&](tare::scope& s) -> task<> {
        for (unsigned number = 0; number < workers; ++number) {
          s.spawn_on(number % shards, make(number, std::mt19937((GetParam() * 1000 + round) * workers + number)));
        }
        co_await beside();
      });
    };
    rt_.run(body());
  }
  template <class Make>
  void spread(unsigned round, Make make) {
    spread(round, make, []() -> task<> { co_return; });
  }

  static microseconds short_time(std::mt19937& random) { return microseconds(random() % 800); }

  /// Every other worker never gives up, so something that is lost makes them wait for ever.
  static microseconds patience(unsigned number, std::mt19937& random) {
    return number % 2 == 0 ? microseconds(60'000'000) : short_time(random);
  }

  /// False if it does not come to be in twenty seconds.
  template <class Condition>
  static task<bool> becomes(Condition condition) {
    for (int i = 0; i < 20'000 && !condition(); ++i) co_await tare::sleep_for(1ms);
    co_return condition();
  }

  tare::runtime rt_{{.shards = shards}};
};

TEST_P(primitives, a_notification_is_not_lost_with_the_task_that_gives_up) {
  for (unsigned round = 0; round < 30; ++round) {
    tare::notify available;
    std::atomic<int> left = workers / 2;
    std::atomic<unsigned> ended = 0;
    auto take_one = [&]() -> task<> {
      co_await available.wait();
      --left;
    };
    spread(
        round,
        [&](unsigned number, std::mt19937 random) -> task<> {
          co_await tare::sleep_for(short_time(random));
          if (random() % 2 == 0) {
            (void)co_await tare::timeout(patience(number, random), take_one());
          } else {
            const auto first = co_await tare::select(available.wait(), tare::sleep_for(patience(number, random)));
            if (first.index() == 0) --left;
          }
          ++ended;
        },
        [&]() -> task<> {
          while (left > 0) {  // remembered once at most, so one at a time
            const int before = left;
            available.notify_one();
            const bool taken = co_await becomes([&] { return left < before; });
            EXPECT_TRUE(taken) << "a notification has been lost";
            if (!taken) break;
          }
          for (int i = 0; i < 20'000 && ended < workers; ++i) {
            available.notify_all();
            co_await tare::sleep_for(1ms);
          }
        });
    if (HasFailure()) return;
  }
}

TEST_P(primitives, a_condition_variable_passes_on_what_a_cancelled_task_was_notified_of) {
  struct queue {
    tare::guarded<int> items{0};
    tare::condition_variable changed;
    std::atomic<int> left = 0;
  };
  for (unsigned round = 0; round < 40; ++round) {
    queue shared;
    shared.left = workers / 2;
    auto take_one = [](queue& from, bool limited) -> task<> {
      auto locked = co_await from.items.lock();
      while (*locked == 0) {
        if (limited) {
          (void)co_await from.changed.wait_for(locked.mutex_guard(), 300us);
        } else {
          co_await from.changed.wait(locked.mutex_guard());
        }
      }
      --*locked;
      --from.left;
    };
    spread(
        round,
        [&](unsigned number, std::mt19937 random) -> task<> {
          const bool limited = random() % 4 == 0;
          (void)co_await tare::timeout(patience(number, random), take_one(shared, limited));
        },
        [&]() -> task<> {
          for (unsigned i = 0; i < workers / 2; ++i) {
            {
              auto locked = co_await shared.items.lock();
              ++*locked;
              if (i % 2 == 0) shared.changed.notify_one();
            }
            if (i % 2 == 1) shared.changed.notify_one();
            if (i % 3 == 0) co_await tare::sleep_for(1ms);
          }
          const bool taken = co_await becomes([&] { return shared.left == 0; });
          EXPECT_TRUE(taken) << "a notification has been lost";
          auto locked = co_await shared.items.lock();
          *locked = workers;  // so everybody ends
          shared.changed.notify_all();
        });
    if (HasFailure()) return;
  }
}

TEST_P(primitives, a_shared_mutex_has_readers_or_one_writer) {
  tare::shared_mutex m;
  long first = 0;  // guarded by m, so ThreadSanitizer judges too
  long second = 0;
  std::atomic<long> written = 0;
  spread(0, [&](unsigned /*number*/, std::mt19937 random) -> task<> {
    for (int i = 0; i < 150; ++i) {
      auto limit = random() % 3 == 0 ? short_time(random) : microseconds(60'000'000);
      if (random() % 4 == 0) {
        auto writing = co_await m.try_lock_for(limit);
        if (!writing) continue;
        ++first;
        if (random() % 4 == 0) co_await tare::yield();
        ++second;
        ++written;
        if (random() % 2 == 0) tare::shared_mutex::downgrade(writing);
        EXPECT_EQ(first, second);
      } else {
        auto reading = co_await tare::timeout(limit, m.lock_shared());
        if (!reading) continue;
        EXPECT_EQ(first, second);
        if (random() % 4 == 0) co_await tare::yield();
        EXPECT_EQ(first, second);
      }
    }
  });
  EXPECT_EQ(first, written);
  EXPECT_TRUE(m.try_lock());
}

TEST_P(primitives, a_semaphore_with_limits_gets_all_permits_back_and_can_be_closed) {
  constexpr std::size_t permits = 4;
  for (unsigned round = 0; round < 6; ++round) {
    tare::semaphore free(permits);
    std::atomic<std::size_t> held = 0;
    spread(
        round,
        [&](unsigned /*number*/, std::mt19937 random) -> task<> {
          for (int i = 0; i < 1000 && !free.is_closed(); ++i) {
            const std::size_t wanted = 1 + random() % permits;
            // Both limits at about the same time.
            auto permit = co_await tare::timeout(microseconds(random() % 1500),
                                                 free.try_acquire_for(microseconds(random() % 1500), wanted));
            if (!permit || !*permit) continue;
            EXPECT_LE(held += wanted, permits);
            if (random() % 4 == 0) co_await tare::sleep_for(short_time(random));
            held -= wanted;
          }
        },
        [&]() -> task<> {
          co_await tare::sleep_for(20ms);
          free.close();
        });
    EXPECT_EQ(free.available(), permits);
  }
}

TEST_P(primitives, a_barrier_completes_its_rounds_while_tasks_leave) {
  for (unsigned round = 0; round < 20; ++round) {
    tare::barrier at(workers);
    std::atomic<int> left = 0;
    auto arrives = [](tare::barrier& there) -> task<> {
      for (int i = 0; i < 20; ++i) (void)co_await there.arrive_and_wait();
    };
    spread(round, [&](unsigned number, std::mt19937 random) -> task<> {
      const auto done = co_await tare::timeout(patience(number, random), arrives(at));
      ++left;
      if (!done || number % 2 != 0) at.arrive_and_drop();
    });
    EXPECT_EQ(left, static_cast<int>(workers));
  }
}

INSTANTIATE_TEST_SUITE_P(seeds, primitives, testing::Range(0U, 3U));

}  // namespace
