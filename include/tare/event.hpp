#pragma once

// Something that has happened or not, and tasks that wait until it has; and a latch, which is an event after a count.
//
//   tare::event loaded;
//   co_await loaded.wait();       // elsewhere: loaded.set()
//
// Waiters may be on any shard; `set`, `reset` and `count_down` may be called from any thread, and resume waiters from
// their run queues, not inside the call. Bytes: an event is 16, a latch 24, a waiting task's frame holds 56.

#include <tare/detail/queued_wait.hpp>
#include <tare/error.hpp>

#include <atomic>
#include <coroutine>
#include <cstddef>

namespace tare {

/// Stays set until reset. Must outlive its waiters; they may destroy it when they go on, although the call that woke
/// them has not returned.
class event {
 public:
  class wait_awaiter;
  struct wait_request {
    using tare_awaiter = wait_awaiter;
    event& on;
  };

  explicit event(bool set = false) noexcept : set_(set) {}
  event(const event&) = delete;
  event& operator=(const event&) = delete;
  ~event() = default;

  /// Returns when the event is set; at once if it is.
  [[nodiscard]] wait_request wait() noexcept { return {*this}; }
  /// Lets all waiters go on.
  void set() noexcept;
  void reset() noexcept { set_.store(false, std::memory_order_relaxed); }
  [[nodiscard]] bool is_set() const noexcept { return set_.load(std::memory_order_acquire); }

 private:
  /// True if set, and `set` has left the lock: then whoever waited may destroy the event.
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

class event::wait_awaiter : private detail::queued_wait {
 public:
  wait_awaiter(wait_request request, detail::wait_state& /*task*/) noexcept : on_(request.on) {}

  [[nodiscard]] bool await_ready() const noexcept { return detail::ready_at_once(on_.has_been_set()); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(self.promise());
  }
  static void await_resume() { detail::current_shard->throw_if_cancelled(); }

 private:
  friend class event;
  [[nodiscard]] bool suspend(detail::wait_state& task) noexcept;

  event& on_;
};

/// Opens when it has been counted down to zero. Must outlive its waiters.
class latch {
 public:
  explicit latch(std::size_t count) noexcept : left_(count), open_(count == 0) {}

  /// By no more than is left.
  void count_down(std::size_t by = 1) noexcept {
    if (left_.fetch_sub(by, std::memory_order_acq_rel) == by) open_.set();
  }
  [[nodiscard]] auto wait() noexcept { return open_.wait(); }
  [[nodiscard]] bool is_open() const noexcept { return open_.is_set(); }

 private:
  std::atomic<std::size_t> left_;
  event open_;
};

}  // namespace tare
