#pragma once

// A counting semaphore for tasks.
//
//   tare::semaphore slots(100);
//   auto permit = co_await slots.acquire();     // released when `permit` is destroyed
//
// Fair: first come, first served; small requests do not overtake a large one at the head of the queue. Acquire from any
// shard; release from any thread. Acquiring without contention is one compare-and-swap.
//
// **Bytes** The semaphore is 24, a waiting acquire 72 in the waiting frame (with a time limit 112), a held permit 16.

#include <tare/detail/permit_count.hpp>
#include <tare/detail/queued_wait.hpp>
#include <tare/detail/timed_wait.hpp>
#include <tare/error.hpp>
#include <tare/sleep.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <utility>

namespace tare {

class semaphore;

/// Permits of a semaphore, released when this is destroyed. Move-only.
class [[nodiscard("the permits are released when this is destroyed")]] semaphore_permit {
 public:
  semaphore_permit() noexcept = default;
  semaphore_permit(semaphore_permit&& other) noexcept
      : from_(std::exchange(other.from_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  semaphore_permit& operator=(semaphore_permit&& other) noexcept {
    semaphore_permit moved(std::move(other));
    std::swap(from_, moved.from_);
    std::swap(count_, moved.count_);
    return *this;
  }
  semaphore_permit(const semaphore_permit&) = delete;
  semaphore_permit& operator=(const semaphore_permit&) = delete;
  ~semaphore_permit() { release(); }

  /// Releases the permits now.
  void release() noexcept;
  /// Removes the permits from the semaphore permanently.
  void forget() noexcept { from_ = nullptr; }
  /// Moves `count` of the permits into an object of their own.
  ///
  /// **Errors** Aborts the program if there are fewer.
  semaphore_permit split(std::size_t count) noexcept;

  [[nodiscard]] std::size_t count() const noexcept { return from_ == nullptr ? 0 : count_; }
  [[nodiscard]] explicit operator bool() const noexcept { return from_ != nullptr; }

 private:
  friend class semaphore;
  friend class condition_variable;
  semaphore_permit(semaphore& from, std::size_t count) noexcept : from_(&from), count_(count) {}

  semaphore* from_ = nullptr;
  std::size_t count_ = 0;
};

/// Must outlive its permits, its waiters, and every call of `release`: the destructor aborts the program if a task
/// waits.
class semaphore {
 public:
  class acquire_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] acquire_request {
    using tare_awaiter = acquire_awaiter;
    semaphore& from;
    std::size_t count;
  };

  explicit semaphore(std::size_t permits) noexcept : free_(permits) {}
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;
  ~semaphore() {
    detail::require_no_waiter(waiters_.queue,
                              "semaphore::~semaphore: a task waits for it, or for its lock: let it end first");
  }

  /// Waits for `count` permits and returns a semaphore_permit. A request for more permits than the semaphore will ever
  /// have waits forever.
  ///
  /// **Errors** Returns an empty semaphore_permit once the semaphore has been closed. **Cancellation** A cancelled
  /// acquire has taken nothing. **Threads** Any shard.
  acquire_request acquire(std::size_t count = 1) noexcept { return {.from = *this, .count = count}; }

  /// The permits, or an empty semaphore_permit if they are not available or other tasks wait. Any thread.
  semaphore_permit try_acquire(std::size_t count = 1) noexcept {
    return free_.take(count) ? semaphore_permit(*this, count) : semaphore_permit();
  }

  /// Waits for the permits for at most `time`; then returns an empty semaphore_permit.
  ///
  /// **Errors**, **Cancellation**, **Threads** As for `acquire`. **Bytes** 112 in the frame.
  template <class Rep, class Period>
  auto try_acquire_for(std::chrono::duration<Rep, Period> time, std::size_t count = 1) noexcept {
    return detail::timed_request<acquire_request>{.wait = acquire(count),
                                                  .nanoseconds = detail::saturated_nanoseconds(time)};
  }

  /// Adds permits. Any thread. Waiters resume from their run queues, not inside this call.
  void release(std::size_t count = 1) noexcept;

  /// From now on no permit is granted: waiting and later acquires return an empty semaphore_permit. Permits that are
  /// held remain valid. Any thread.
  void close() noexcept;
  [[nodiscard]] bool is_closed() const noexcept;

  /// Number of permits currently available.
  [[nodiscard]] std::size_t available() const noexcept { return free_.available(); }

 private:
  friend class acquire_awaiter;
  friend class condition_variable;
  void grant(detail::wake_list& woken) noexcept;

  detail::permit_count free_;
  mutable detail::waiters waiters_;
  bool closed_ = false;
};

class semaphore::acquire_awaiter : public detail::queued_wait {
 public:
  acquire_awaiter(acquire_request request, detail::wait_state& /*task*/) noexcept
      : from_(request.from), count_(request.count) {}

  [[nodiscard]] bool await_ready() noexcept {
    taken_ = from_.free_.take(count_);
    return detail::ready_at_once(taken_);
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(self.promise());
  }
  semaphore_permit await_resume() {
    detail::current_shard->throw_if_cancelled();
    if (refused_) return none();
    return {from_, count_};
  }
  /// What a wait with a time limit returns when the time is up.
  static semaphore_permit none() noexcept { return {}; }

  // For `select`. The first two require the lock.
  [[nodiscard]] bool try_now(detail::wake_last& /*woken*/) noexcept {
    refused_ = from_.closed_;
    return refused_ || from_.free_.take(count_);
  }
  [[nodiscard]] bool enqueue() noexcept;
  [[nodiscard]] detail::brief_lock* select_lock() const noexcept { return &from_.waiters_.lock; }
  /// False if it is not in the queue.
  [[nodiscard]] bool withdraw() noexcept;

 private:
  friend class semaphore;
  friend class condition_variable;
  [[nodiscard]] bool suspend(detail::wait_state& task) noexcept;

  semaphore& from_;
  std::size_t count_;
  bool taken_ = false;
  bool refused_ = false;  ///< the semaphore has been closed
};

inline void semaphore_permit::release() noexcept {
  if (semaphore* from = std::exchange(from_, nullptr); from != nullptr) from->release(count_);
}

}  // namespace tare
