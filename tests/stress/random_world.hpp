#pragma once

// The state of a round of core_stress_test, and what its tasks choose from.

#include <tare/tare.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <deque>
#include <functional>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>

namespace tare::stress {

using microseconds = std::chrono::microseconds;

inline constexpr unsigned shards = 3;
inline constexpr std::size_t permits = 7;
inline constexpr unsigned workers = 12;
inline constexpr int max_depth = 3;

struct failed : std::runtime_error {
  failed() : std::runtime_error("a random error") {}
};

/// Runs calls on a thread that belongs to no runtime.
class outside_thread {
 public:
  outside_thread() : thread_([this] { work(); }) {}
  outside_thread(const outside_thread&) = delete;
  outside_thread& operator=(const outside_thread&) = delete;
  ~outside_thread() {
    {
      const std::scoped_lock guard(lock_);
      stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  void call(std::function<void()> what) {
    {
      const std::scoped_lock guard(lock_);
      calls_.push_back(std::move(what));
    }
    changed_.notify_one();
  }

 private:
  void work() {
    std::unique_lock guard(lock_);
    for (;;) {
      changed_.wait(guard, [this] { return stopping_ || !calls_.empty(); });
      if (calls_.empty()) return;
      const auto call = std::move(calls_.front());
      calls_.pop_front();
      guard.unlock();
      call();
      guard.lock();
    }
  }

  std::mutex lock_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> calls_;
  bool stopping_ = false;
  std::thread thread_;
};

/// The state of a round, shared by both runtimes and the outside thread.
struct world {
  explicit world(unsigned seed) : first_seed(seed), channel(seed % 4) {}

  unsigned first_seed;
  outside_thread outside;
  tare::semaphore semaphore{permits};
  std::array<tare::mutex, 2> mutexes;
  std::array<long, 2> guarded{};  ///< each guarded by its mutex, so that ThreadSanitizer checks it too
  std::array<std::atomic<long>, 2> counted{};
  tare::channel<int> channel;
  std::atomic<std::size_t> held = 0;
  std::atomic<long> sent = 0;
  std::atomic<long> received = 0;
  std::atomic<long> live = 0;  ///< frames
  std::atomic<long> operations = 0;
  std::atomic<int> broken = 0;

  void expect(bool holds, const char* what) {
    if (holds) return;
    ++broken;
    std::fprintf(stderr, "BROKEN at seed %u: %s\n", first_seed, what);
  }
};

/// Counts the frames that contain one.
class alive {
 public:
  explicit alive(world& in) : in_(in) { ++in_.live; }
  alive(const alive&) = delete;
  alive& operator=(const alive&) = delete;
  ~alive() { --in_.live; }

 private:
  world& in_;
};

class choices {
 public:
  explicit choices(unsigned seed) : random_(seed) {}
  unsigned below(unsigned end) { return static_cast<unsigned>(random_()) % end; }
  bool one_in(unsigned n) { return below(n) == 0; }
  microseconds short_time() { return microseconds(below(1500)); }
  unsigned seed() { return static_cast<unsigned>(random_()); }

 private:
  std::minstd_rand random_;
};

/// The round, and the number of shards of the task's runtime.
struct place {
  world& all;
  unsigned shards;
};

/// A series of awaits. It returns everything that it takes, whatever happens.
task<> act(const place& at, unsigned seed, int depth);

/// One await of something, and the cleanup that belongs to it. From `simple_kinds` on, it calls `act` with less depth.
inline constexpr unsigned simple_kinds = 9;
inline constexpr unsigned kinds = 14;
inline constexpr unsigned sending = 2;
inline constexpr unsigned receiving = 3;
task<> one_of(const place& at, unsigned kind, unsigned seed, int depth);

}  // namespace tare::stress
