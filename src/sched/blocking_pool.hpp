#pragma once

// Threads for blocking calls. A thread is started when a call finds none idle, up to a limit, and ends when it has been
// idle for a while.

#include <tare/detail/blocking_call.hpp>

#include <atomic>
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
  static constexpr std::chrono::milliseconds idle_limit{10'000};

  /// With a virtual clock, a running call keeps the clock from advancing.
  blocking_pool(unsigned max_threads, virtual_time* simulated,
                std::chrono::milliseconds until_idle_threads_end = idle_limit) noexcept
      : max_threads_(max_threads), simulated_(simulated), idle_limit_(until_idle_threads_end) {}
  /// No calls may remain.
  ~blocking_pool();
  blocking_pool(const blocking_pool&) = delete;
  blocking_pool& operator=(const blocking_pool&) = delete;

  /// Throws std::system_error or std::bad_alloc if there is no thread for it and none can be started.
  void add(blocking_call& call);
  /// False if the call has begun: it will then wake its task itself.
  [[nodiscard]] bool take_back(blocking_call& call) noexcept;

  [[nodiscard]] std::size_t threads() const;
  /// Number of threads that have not ended, or less. Does not take the lock.
  [[nodiscard]] std::size_t live_threads() const noexcept { return live_threads_.load(std::memory_order_acquire); }

  /// True if the calling thread belongs to the pool.
  [[nodiscard]] static bool is_worker_of(const blocking_pool& pool) noexcept;

 private:
  /// Threads that have ended.
  struct joined_threads {
    joined_threads() = default;
    joined_threads(const joined_threads&) = delete;
    joined_threads& operator=(const joined_threads&) = delete;
    ~joined_threads();
    std::list<std::thread> list;
  };

  void start_thread();
  void work(std::list<std::thread>::iterator self);
  void unqueue(blocking_call& call) noexcept;

  unsigned max_threads_;
  virtual_time* simulated_;
  std::chrono::milliseconds idle_limit_;
  mutable std::mutex lock_;
  std::condition_variable changed_;
  blocking_call* first_ = nullptr;
  blocking_call* last_ = nullptr;
  std::size_t idle_ = 0;    ///< threads that wait for a call
  std::size_t queued_ = 0;  ///< calls that wait for a thread
  bool stopping_ = false;
  std::atomic<std::size_t> live_threads_ = 0;
  std::list<std::thread> threads_;
  std::list<std::thread> ended_;  ///< to be joined by the next caller
};

}  // namespace tare::detail
