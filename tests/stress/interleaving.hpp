#pragma once

// Runs a few threads in every possible order of their atomic operations, one operation at a time.
//
// Stateless search, as in Godefroid, "Model Checking for Programming Languages using VeriSoft" (POPL 1997), without
// reductions: each run follows a list of choices, and the next run changes the last one that can be changed. Memory is
// sequentially consistent here; weaker orders are left to ThreadSanitizer.

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace tare::testing {

class interleaving {
 public:
  using body = std::function<void()>;

  /// Calls `make` for the threads of each run, and `check` after it. Returns the number of runs.
  static std::size_t explore(const std::function<std::vector<body>()>& make, const std::function<void()>& check) {
    std::vector<choice> path;
    std::size_t runs = 0;
    do {
      interleaving run(path);
      run.perform(make());
      check();
      ++runs;
      while (!path.empty() && path.back().taken + 1 == path.back().options) path.pop_back();
      if (!path.empty()) ++path.back().taken;
    } while (!path.empty());
    return runs;
  }

  /// Called before every atomic operation: any thread may run next.
  static void point() {
    if (current_ != nullptr) current_->hand_over();
  }
  /// Blocks until `wake` is called for the same address.
  static void block(const void* address) {
    current_->states_[self_].blocked_on = address;
    current_->hand_over();
  }
  static void wake_one(const void* address) {
    for (state& each : current_->states_) {
      if (each.blocked_on != address) continue;
      each.blocked_on = nullptr;
      return;
    }
  }

 private:
  struct choice {
    std::size_t taken = 0;
    std::size_t options = 0;
  };
  struct state {
    const void* blocked_on = nullptr;
    bool done = false;
  };
  static constexpr std::size_t nobody = SIZE_MAX;

  explicit interleaving(std::vector<choice>& path) : path_(path) {}

  void perform(const std::vector<body>& bodies) {
    states_.resize(bodies.size());
    std::vector<std::thread> threads;
    threads.reserve(bodies.size());
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      threads.emplace_back([this, i, &bodies] {
        self_ = i;
        current_ = this;
        wait_for_turn();
        bodies[i]();
        states_[i].done = true;
        pass_on(next());
      });
    }
    pass_on(next());
    for (std::thread& each : threads) each.join();
  }

  std::size_t next() {
    std::vector<std::size_t> able;
    able.reserve(states_.size());
    bool all_done = true;
    for (std::size_t i = 0; i < states_.size(); ++i) {
      all_done = all_done && states_[i].done;
      if (!states_[i].done && states_[i].blocked_on == nullptr) able.push_back(i);
    }
    if (all_done) return nobody;
    if (able.empty()) {
      std::fputs("interleaving: all threads wait for each other\n", stderr);
      std::abort();  // they are in noexcept functions, so they cannot be ended
    }
    if (depth_ == path_.size()) path_.push_back({.taken = 0, .options = able.size()});
    return able[path_[depth_++].taken];
  }

  void hand_over() {
    const std::size_t chosen = next();
    if (chosen == self_) return;
    pass_on(chosen);
    wait_for_turn();
  }
  void pass_on(std::size_t to) {
    {
      const std::scoped_lock guard(lock_);
      turn_ = to;
    }
    changed_.notify_all();
  }
  void wait_for_turn() {
    std::unique_lock guard(lock_);
    changed_.wait(guard, [this] { return turn_ == self_; });
  }

  static inline thread_local interleaving* current_ = nullptr;
  static inline thread_local std::size_t self_ = nobody;

  std::vector<choice>& path_;
  std::size_t depth_ = 0;
  std::vector<state> states_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::size_t turn_ = nobody;
};

/// Takes the place of std::atomic.
template <class T>
class explored_atomic {
 public:
  explored_atomic() = default;
  explicit(false) explored_atomic(T value) : value_(value) {}  // NOLINT(google-explicit-constructor): as std::atomic

  T load(std::memory_order /*order*/) const {
    interleaving::point();
    return value_;
  }
  T exchange(T next, std::memory_order /*order*/) {
    interleaving::point();
    return std::exchange(value_, next);
  }
  T fetch_sub(T by, std::memory_order /*order*/) {
    interleaving::point();
    return std::exchange(value_, static_cast<T>(value_ - by));
  }
  T fetch_add(T by, std::memory_order /*order*/) {
    interleaving::point();
    return std::exchange(value_, static_cast<T>(value_ + by));
  }
  T fetch_and(T with, std::memory_order /*order*/) {
    interleaving::point();
    return std::exchange(value_, static_cast<T>(value_ & with));
  }
  bool compare_exchange_strong(T& expected, T next, std::memory_order /*success*/, std::memory_order /*failure*/) {
    interleaving::point();
    if (value_ != expected) {
      expected = value_;
      return false;
    }
    value_ = next;
    return true;
  }
  bool compare_exchange_weak(T& expected, T next, std::memory_order success, std::memory_order failure) {
    return compare_exchange_strong(expected, next, success, failure);
  }
  void wait(T old, std::memory_order /*order*/) const {
    interleaving::point();
    while (value_ == old) interleaving::block(this);
  }
  void notify_one() {
    interleaving::point();
    interleaving::wake_one(this);
  }

 private:
  T value_{};
};

}  // namespace tare::testing
