// Concurrent selects on several shards, with random cancellation: no message is lost or duplicated, and no permit.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

constexpr unsigned shards = 3;
constexpr int channels = 3;
constexpr std::size_t permits = 4;

/// What the tasks of one round share.
struct world {
  explicit world(std::uint64_t seed) : random(seed) {
    for (int i = 0; i < channels; ++i) lines.push_back(std::make_unique<tare::channel<std::uint64_t>>(random() % 3));
  }

  std::mt19937_64 random;
  std::vector<std::unique_ptr<tare::channel<std::uint64_t>>> lines;
  tare::semaphore pool{permits};
  tare::mutex lock;
  std::uint64_t guarded = 0;
  std::atomic<std::uint64_t> guarded_expected = 0;
  std::atomic<std::uint64_t> sent = 0;      ///< sum of the values given away
  std::atomic<std::uint64_t> received = 0;  ///< sum of the values taken
  std::atomic<std::uint64_t> operations = 0;
};

task<> one_operation(world& w, std::mt19937_64& random, std::uint64_t& value) {
  tare::channel<std::uint64_t>& a = *w.lines[random() % channels];
  tare::channel<std::uint64_t>& b = *w.lines[random() % channels];
  tare::channel<std::uint64_t>& c = *w.lines[random() % channels];
  const auto time = std::chrono::milliseconds(random() % 3);
  ++w.operations;
  const std::uint64_t next = ++value;
  switch (random() % 8) {
    case 0: {
      auto got = co_await tare::select(a.receive(), b.receive(), tare::sleep_for(time));
      if (got.index() == 0) w.received += std::get<0>(got).value();
      if (got.index() == 1) w.received += std::get<1>(got).value();
      break;
    }
    case 1: {
      auto got = co_await tare::select(a.send(next), b.send(next), tare::sleep_for(time));
      if (got.index() != 2) w.sent += next;
      break;
    }
    case 2: {
      auto got = co_await tare::select(a.send(next), b.receive(), c.receive());
      if (got.index() == 0) w.sent += next;
      if (got.index() == 1) w.received += std::get<1>(got).value();
      if (got.index() == 2) w.received += std::get<2>(got).value();
      break;
    }
    case 3: {
      auto got = co_await tare::select(w.pool.acquire(1 + random() % 3), a.receive(), w.lock.lock());
      if (got.index() == 1) w.received += std::get<1>(got).value();
      if (got.index() == 2) {
        ++w.guarded;
        ++w.guarded_expected;
      }
      if (got.index() == 0) co_await tare::yield();
      break;
    }
    case 4: {
      auto permit = co_await w.pool.acquire(1 + random() % 2);
      co_await tare::yield();
      break;
    }
    case 5: {
      auto guard = co_await w.lock.lock();
      ++w.guarded;
      ++w.guarded_expected;
      if (random() % 2 == 0) co_await tare::yield();
      break;
    }
    case 6: {
      auto got = co_await tare::select(a.send(next), tare::sleep_for(0ms));
      if (got.index() == 0) w.sent += next;
      break;
    }
    default: {
      std::vector<tare::channel<std::uint64_t>::receive_request> all;
      for (auto& each : w.lines) all.push_back(each->receive());
      auto got = co_await tare::select(std::move(all));
      w.received += got.second.value();
      break;
    }
  }
}

task<> worker(world& w, std::uint64_t seed, int operations) {
  std::mt19937_64 random(seed);
  std::uint64_t value = seed % 1000 * 1000;
  for (int i = 0; i < operations; ++i) co_await one_operation(w, random, value);
}

task<> worker_until_cancelled(world& w, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uint64_t value = seed % 1000 * 1000;
  for (;;) co_await one_operation(w, random, value);
}

/// Some workers end by themselves, the others are cancelled at random moments.
task<> round(world& w) {
  tare::scope others;
  for (unsigned i = 0; i < 6; ++i) others.spawn_on(i % shards, worker_until_cancelled(w, w.random()));
  for (int wave = 0; wave < 6; ++wave) {
    tare::scope s;
    for (unsigned i = 0; i < 4; ++i) s.spawn_on(i % shards, worker(w, w.random(), 40));
    co_await tare::sleep_for(std::chrono::milliseconds(w.random() % 4));
    s.cancel();
    co_await s.join();
  }
  others.cancel();
  co_await others.join();
}

/// Returns the number of operations.
std::uint64_t check_round(std::uint64_t seed) {
  world w(seed);
  {
    tare::runtime rt({.shards = shards});
    rt.run(round(w));
  }
  std::uint64_t left = 0;
  for (auto& line : w.lines) {
    while (const auto value = line->try_receive()) left += *value;
  }
  EXPECT_EQ(w.sent, w.received + left) << "seed " << seed;
  EXPECT_EQ(w.pool.available(), permits) << "seed " << seed;
  EXPECT_TRUE(w.pool.try_acquire(permits)) << "seed " << seed;
  EXPECT_TRUE(w.lock.try_lock()) << "seed " << seed;
  EXPECT_EQ(w.guarded, w.guarded_expected) << "seed " << seed;
  return w.operations;
}

TEST(select_stress_test, nothing_is_lost) {
  const auto until = std::chrono::steady_clock::now() + 4s;
  std::uint64_t operations = 0;
  for (std::uint64_t seed = 1; seed <= 200 && std::chrono::steady_clock::now() < until && !HasFailure(); ++seed) {
    operations += check_round(seed);
  }
  RecordProperty("operations", static_cast<int>(operations));
  EXPECT_GT(operations, 1000U);
}

// By name: select_stress_test --gtest_also_run_disabled_tests --gtest_filter='*ten_million*'
TEST(select_stress_test, DISABLED_nothing_is_lost_in_ten_million_operations) {
  std::uint64_t operations = 0;
  for (std::uint64_t seed = 1'000; operations < 10'000'000 && !HasFailure(); ++seed) operations += check_round(seed);
  std::printf("%llu operations\n", static_cast<unsigned long long>(operations));
}

}  // namespace
