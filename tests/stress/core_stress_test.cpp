// Random programs that await everything a task can await, compared with a model of what must never be lost.
//
// Two runtimes, with three shards and with one, and a thread that belongs to neither share the primitives. Every task
// performs a random series of awaits. A time limit, a sibling's error, a scope or a lost race may cancel any of them at
// any moment; then the task does the cleanup that a real program would do. A round ends by itself. Then every permit
// has been returned, every message has been received once or is still in the channel, and every task has ended.
//
//   core_stress_test                            10 seconds, the default of continuous integration
//   TARE_STRESS_SECONDS=60 core_stress_test     longer
//   TARE_STRESS_SEED=42 core_stress_test        only this round, repeatedly; a failure names its seed
#include "stress/random_world.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>

namespace tare::stress {

task<> act(const place& at, unsigned seed, int depth) {
  const alive here(at.all);
  choices choose(seed);
  for (unsigned i = 1 + choose.below(4); i > 0; --i) {
    ++at.all.operations;
    const unsigned kind = choose.below(depth > 0 ? kinds : simple_kinds);
    switch (choose.below(6)) {
      case 0:
        co_await tare::sleep_for(choose.short_time());
        break;
      case 1:
        co_await tare::yield();
        break;
      case 2:
        co_await tare::resume_on(choose.below(at.shards));
        break;
      default:
        // Sends and receives depend on other tasks, so they are always limited in time.
        if (kind == sending || kind == receiving) {
          (void)co_await tare::timeout(choose.short_time(), one_of(at, kind, choose.seed(), depth));
        } else {
          co_await one_of(at, kind, choose.seed(), depth);
        }
    }
  }
}

namespace {

using namespace std::chrono_literals;

/// What a program's own tasks do: a cancellation ends them.
task<> worker(const place& at, unsigned seed) {
  const alive here(at.all);
  choices choose(seed);
  for (int i = 0; i < 6; ++i) co_await act(at, choose.seed(), max_depth);
}

task<> all_workers(const place& at, unsigned seed) {
  co_await tare::with_scope([&at, seed](tare::scope& s) -> task<> {
    choices choose(seed);
    for (unsigned i = 0; i < workers; ++i) s.spawn_on(i % at.shards, worker(at, choose.seed()));
    if (choose.one_in(3)) {
      co_await tare::sleep_for(4 * choose.short_time());
      s.cancel();
    }
  });
}

void drive(const place& at, unsigned seed) {
  try {
    tare::runtime rt({.shards = at.shards, .blocking_threads = 2});
    rt.run(all_workers(at, seed));
  } catch (const std::exception& error) {
    at.all.expect(false, error.what());
  } catch (...) {
    at.all.expect(false, "run threw an unexpected type");
  }
}

/// Aborts the program and names the seed if a round does not end.
class watchdog {
 public:
  explicit watchdog(unsigned seed)
      : thread_([this, seed] {
          std::unique_lock guard(lock_);
          if (ended_.wait_for(guard, 120s, [this] { return done_; })) return;
          std::fprintf(stderr, "BROKEN at seed %u: the round does not end\n", seed);
          std::abort();
        }) {}
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;
  ~watchdog() {
    {
      const std::scoped_lock guard(lock_);
      done_ = true;
    }
    ended_.notify_one();
    thread_.join();
  }

 private:
  std::mutex lock_;
  std::condition_variable ended_;
  bool done_ = false;
  std::thread thread_;
};

/// Returns the number of operations; fails the test if something is broken.
long play(unsigned seed) {
  const watchdog watched(seed);
  world in(seed);
  const place large{.all = in, .shards = shards};
  const place small{.all = in, .shards = 1};
  std::thread other([&] { drive(small, seed + 1'000'000); });
  drive(large, seed);
  other.join();

  in.expect(in.live == 0, "tasks have not ended");
  in.expect(in.held == 0 && in.semaphore.available() == permits, "permits are lost");
  for (std::size_t i = 0; i < in.mutexes.size(); ++i) {
    in.expect(static_cast<bool>(in.mutexes.at(i).try_lock()), "a mutex was never unlocked");
    in.expect(in.guarded.at(i) == in.counted.at(i), "a mutex had two holders");
  }
  in.expect(in.sent - in.received == static_cast<long>(in.channel.size()), "messages are lost or were received twice");
  EXPECT_EQ(in.broken, 0) << "TARE_STRESS_SEED=" << seed;
  return in.operations;
}

unsigned long from_environment(const char* name, unsigned long otherwise) {
  const char* const given = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): there is one thread
  return given == nullptr ? otherwise : std::strtoul(given, nullptr, 10);
}

TEST(core_stress, loses_nothing) {
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::seconds(from_environment("TARE_STRESS_SECONDS", 10));
  const unsigned long only = from_environment("TARE_STRESS_SEED", 0);
  unsigned long seed = only;
  long rounds = 0;
  long operations = 0;
  do {
    if (only == 0) ++seed;
    operations += play(static_cast<unsigned>(seed));
    ++rounds;
  } while (std::chrono::steady_clock::now() < until && !testing::Test::HasFailure());
  std::printf("%ld rounds, %ld operations\n", rounds, operations);
}

}  // namespace

}  // namespace tare::stress
