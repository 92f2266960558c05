#pragma once

// Trying every order of a few steps, with tasks that can be cancelled one by one.

#include <tare/tare.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <utility>

namespace support {

/// Calls `play` with every string of the letters `steps`, up to the length.
template <class Play>
void for_each_order(const std::string& steps, std::size_t longest, Play play) {
  std::string order;
  std::size_t count = 1;
  for (std::size_t length = 1; length <= longest; ++length) {
    count *= steps.size();
    order.resize(length);
    for (std::size_t number = 0; number < count; ++number) {
      std::size_t left = number;
      for (char& step : order) {
        step = steps[left % steps.size()];
        left /= steps.size();
      }
      play(order);
    }
  }
}

/// Up to eight tasks; must be in a task's frame.
class cancellable_tasks {
 public:
  /// `outcomes()[i]` is '-' while task i runs; the task sets it, or it becomes 'c' if the task is cancelled.
  [[nodiscard]] std::string& outcomes() noexcept { return outcomes_; }

  /// `make(char& outcome)` returns the task.
  template <class Make>
  std::size_t begin(Make make) {
    const std::size_t number = count_++;
    outcomes_[number] = '-';
    scopes_.at(number).spawn(record(make(outcomes_[number]), outcomes_[number]));
    return number;
  }
  void cancel(std::size_t number) { scopes_.at(number).cancel(); }
  void cancel_all() {
    for (std::size_t i = 0; i < count_; ++i) scopes_.at(i).cancel();
  }
  tare::task<> join() {
    for (std::size_t i = 0; i < count_; ++i) co_await scopes_.at(i).join();
  }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] bool full() const noexcept { return count_ == scopes_.size(); }

 private:
  static tare::task<> record(tare::task<> body, char& outcome) {
    try {
      co_await std::move(body);
    } catch (const tare::cancelled&) {
      outcome = 'c';
      throw;
    }
  }

  std::array<tare::scope, 8> scopes_;
  std::string outcomes_ = std::string(8, ' ');
  std::size_t count_ = 0;
};

/// Lets all tasks run that can.
inline tare::task<> drain() {
  for (int i = 0; i < 12; ++i) co_await tare::yield();
}

}  // namespace support
