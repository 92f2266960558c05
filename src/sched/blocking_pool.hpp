#pragma once

// Threads for calls that block. They are started when a call finds none idle, up to a limit, and end when they have
// been idle for a while.

#include <tare/detail/blocking_call.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <list>
#include <mutex>
#include <thread>

namespace tare::detail {

class virtual_time;

class blocking_pool {
 public:
  /// With a virtual clock, a call under way keeps it from advancing.
  blocking_pool(unsigned most_threads, virtual_time* simulated) noexcept
      : most_threads_(most_threads), simulated_(simulated) {}
  /// There must be no calls any more.
  ~blocking_pool();
  blocking_pool(const blocking_pool&) = delete;
  blocking_pool& operator=(const blocking_pool&) = delete;

  /// Throws std::system_error if no thread is there for it, or ever will be.
  void add(blocking_call& call);
  /// False if the call has begun: then it will wake its task itself.
  [[nodiscard]] bool take_back(blocking_call& call) noexcept;

  [[nodiscard]] std::size_t threads() const;

  static constexpr std::chrono::seconds idle_limit{10};

 private:
  void work(std::list<std::thread>::iterator self);
  void unqueue(blocking_call& call) noexcept;

  unsigned most_threads_;
  virtual_time* simulated_;
  mutable std::mutex lock_;
  std::condition_variable changed_;
  blocking_call* first_ = nullptr;
  blocking_call* last_ = nullptr;
  std::size_t idle_ = 0;    ///< threads that wait for a call
  std::size_t queued_ = 0;  ///< calls that wait for a thread
  bool stopping_ = false;
  std::list<std::thread> threads_;
  std::list<std::thread> ended_;  ///< to be joined by whoever comes next
};

}  // namespace tare::detail
