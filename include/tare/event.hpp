#pragma once

// An event that tasks wait for until it is set, and a latch, which opens after a number of events.
//
//   tare::event loaded;
//   co_await loaded.wait();       // elsewhere: loaded.set()
//
// **Errors** None. **Cancellation** A cancelled wait throws `cancelled` and changes nothing. **Threads** Waiters may be
// on any shard. `set`, `reset` and `count_down` may be called from any thread; waiters resume from their run queues,
// not inside the call. **Bytes** An event is 16, a latch 24; a waiting task's frame holds 56.

#include <tare/detail/queued_wait.hpp>
#include <tare/error.hpp>

#include <atomic>
#include <coroutine>
#include <cstddef>

namespace tare {

/// Stays set until reset. Must outlive its waiters: the destructor aborts the program if a task waits. A resumed waiter
/// may destroy it, even if the call that woke the waiter has not returned yet.
class event {
 public:
  class wait_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] wait_request {
    using tare_awaiter = wait_awaiter;
    event& on;
  };

  explicit event(bool set = false) noexcept : set_(set) {}
  event(const event&) = delete;
  event& operator=(const event&) = delete;
  ~event() { detail::require_no_waiter(waiters_.queue, "event::~event: a task waits for it: let it end first"); }

  /// Returns when the event is set; immediately if it already is.
  wait_request wait() noexcept { return {*this}; }
  /// Resumes all waiters.
  void set() noexcept;
  void reset() noexcept { set_.store(false, std::memory_order_relaxed); }
  [[nodiscard]] bool is_set() const noexcept { return set_.load(std::memory_order_acquire); }

 private:
  /// True if the event is set and `set` has released the lock: from then on a waiter may destroy the event.
  [[nodiscard]] bool has_been_set() noexcept {
    if (!is_set()) return false;
    waiters_.lock.lock();
    waiters_.lock.unlock();
    return true;
  }
  static void give_up(detail::wait_node& node) noexcept;

  std::atomic<bool> set_;
  detail::waiters waiters_;
};

class event::wait_awaiter : public detail::queued_wait {
 public:
  wait_awaiter(wait_request request, detail::wait_state& /*task*/) noexcept : on_(request.on) {}

  [[nodiscard]] bool await_ready() const noexcept { return detail::ready_at_once(on_.has_been_set()); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(self.promise());
  }
  static void await_resume() { detail::current_shard->throw_if_cancelled(); }

  // For `select`. The first two require the lock.
  [[nodiscard]] bool try_now(detail::wake_last& /*woken*/) const noexcept { return on_.is_set(); }
  [[nodiscard]] bool enqueue() noexcept {
    on_.waiters_.queue.push_back(*this);
    return true;
  }
  [[nodiscard]] detail::brief_lock* select_lock() const noexcept { return &on_.waiters_.lock; }
  /// False if it is not in the queue.
  [[nodiscard]] bool withdraw() noexcept;

 private:
  friend class event;
  [[nodiscard]] bool suspend(detail::wait_state& task) noexcept;

  event& on_;
};

/// Opens when its count reaches zero. Must outlive its waiters: the destructor aborts the program if a task waits.
class latch {
 public:
  explicit latch(std::size_t count) noexcept : left_(count), open_(count == 0) {}

  /// `count` must not exceed the remaining count.
  void count_down(std::size_t count = 1) noexcept {
    if (left_.fetch_sub(count, std::memory_order_acq_rel) == count) open_.set();
  }
  auto wait() noexcept { return open_.wait(); }
  [[nodiscard]] bool is_open() const noexcept { return open_.is_set(); }

 private:
  std::atomic<std::size_t> left_;
  event open_;
};

}  // namespace tare
