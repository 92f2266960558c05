#pragma once

// A value that changes, and tasks that want the newest: a configuration, a state, a leader.
//
//   tare::watch<config> current(load());
//   auto seen = current.subscribe();
//   while (co_await seen.changed()) apply(seen.get());    // until closed; values in between may be missed
//   current.set(load());                                  // elsewhere, from any thread
//
// The value is copied under a lock: for a large one use std::shared_ptr<const config>.
//
// **Bytes** The value and 32; a receiver is 16; a waiting task's frame holds 48.

#include <tare/detail/cursor.hpp>
#include <tare/detail/misuse.hpp>
#include <tare/detail/news_queue.hpp>
#include <tare/detail/queued_wait.hpp>
#include <tare/detail/timed_wait.hpp>
#include <tare/error.hpp>

#include <concepts>
#include <coroutine>
#include <cstdint>
#include <expected>
#include <mutex>
#include <type_traits>
#include <utility>

namespace tare {

/// Must outlive its waiters and every use of its receivers: the destructor aborts the program if a task waits.
template <std::copyable T>
class watch {
 public:
  class receiver;
  class change_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] change_request {
    using tare_awaiter = change_awaiter;
    receiver& by;
  };

  explicit watch(T first) noexcept(std::is_nothrow_move_constructible_v<T>) : value_(std::move(first)) {}
  watch(const watch&) = delete;
  watch& operator=(const watch&) = delete;
  ~watch() {
    if (!waiters_.empty()) detail::misuse("watch::~watch: a task waits for a change: let it end first");
  }

  /// A receiver that has seen the current value. **Threads** Any.
  receiver subscribe() noexcept {
    const std::scoped_lock guard(lock_);
    return receiver(*this, version_);
  }

  /// A copy of the newest value. **Errors** Propagates an exception of the copy. **Threads** Any.
  [[nodiscard]] T get() const {
    const std::scoped_lock guard(lock_);
    return value_;
  }

  /// Replaces the value and wakes all tasks that wait for a change, also if the new value equals the old one.
  ///
  /// **Errors** Propagates an exception of the move. **Threads** Any. Tasks resume from their run queues, not inside
  /// the call.
  void set(T value) {
    update([&](T& current) { std::swap(current, value); });  // so the old one is destroyed without the lock
  }

  /// Changes the value in place: calls `change(T&)` under the lock, so it must be brief and not use the watch.
  ///
  /// **Errors** Propagates an exception of `change`; then no task is woken. **Threads** Any.
  template <std::invocable<T&> F>
  void update(F&& change) {
    detail::wake_list woken;
    {
      const std::scoped_lock guard(lock_);
      std::forward<F>(change)(value_);
      ++version_;
      waiters_.take_all(woken);
    }
    woken.wake_all();
  }

  /// Announces that the value will not change any more. **Threads** Any.
  void close() noexcept {
    detail::wake_list woken;
    {
      const std::scoped_lock guard(lock_);
      closed_ = true;
      waiters_.take_all(woken);
    }
    woken.wake_all();
  }

 private:
  mutable detail::brief_lock lock_;
  detail::news_queue waiters_;
  bool closed_ = false;
  std::uint64_t version_ = 0;
  T value_;
};

/// Remembers which value it has seen; so does a copy.
///
/// **Threads** Any, but one at a time. **Bytes** 16.
template <std::copyable T>
class [[nodiscard("a receiver sees only what is sent while it exists")]] watch<T>::receiver {
 public:
  receiver(const receiver& other) noexcept : of_(other.of_), seen_(other.last_seen()) {}
  /// **Errors** Aborts the program if a task waits in this receiver.
  receiver& operator=(const receiver& other) noexcept {
    if (this == &other) return *this;
    if (seen_.is_waiting()) detail::misuse("watch::receiver: assigned to while a task waits in `changed`");
    seen_.move_to(other.last_seen());
    of_ = other.of_;
    return *this;
  }
  /// A move is a copy.
  receiver(receiver&& other) noexcept : of_(other.of_), seen_(other.last_seen()) {}
  receiver& operator=(receiver&& other) noexcept { return *this = std::as_const(other); }
  ~receiver() = default;

  /// Waits until there is a value that this receiver has not seen; returns immediately if there already is. Marks it
  /// as seen.
  ///
  /// **Errors** Returns std::expected<void, closed>: `closed` if the last value has been seen. Aborts the program if
  /// another task waits in this receiver. **Cancellation** A cancelled wait has marked nothing as seen. **Threads** Any
  /// shard. **Bytes** 48 in the frame.
  change_request changed() noexcept { return {*this}; }

  /// A copy of the newest value, which is marked as seen. **Errors** Propagates an exception of the copy. **Threads**
  /// Any, but not while a task waits in `changed`.
  [[nodiscard]] T get() {
    const std::scoped_lock guard(of_->lock_);
    seen_.move_to(of_->version_);
    return of_->value_;
  }

 private:
  friend class watch;
  receiver(watch& watch, std::uint64_t seen) noexcept : of_(&watch), seen_(seen) {}

  /// Another task may be waiting in this receiver.
  [[nodiscard]] std::uint64_t last_seen() const noexcept {
    const std::scoped_lock guard(of_->lock_);
    return seen_.at();
  }
  /// Requires the lock. If a task waits here, true if and only if it is about to be woken.
  [[nodiscard]] bool has_news() const noexcept { return seen_.at() != of_->version_ || of_->closed_; }
  [[nodiscard]] std::expected<void, closed> take() noexcept {
    const std::scoped_lock guard(of_->lock_);
    seen_.end_waiting();
    if (seen_.at() == of_->version_) return std::unexpected(closed());
    seen_.move_to(of_->version_);
    return {};
  }

  watch* of_;
  detail::cursor seen_;  ///< the version; guarded by the lock
};

template <std::copyable T>
class watch<T>::change_awaiter : public detail::queued_wait {
 public:
  change_awaiter(change_request request, detail::wait_state& /*task*/) noexcept : by_(request.by) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    detail::wait_state& task = self.promise();
    watch& watch = *by_.of_;
    const std::scoped_lock guard(watch.lock_);
    if (is_complete()) return detail::current_shard->end_at_once(task);
    if (const auto refused = detail::refuse_if_cancelled(task)) return *refused;
    give_up = &detail::give_up_queued<change_awaiter>;
    begin(task);
    return enqueue();
  }
  std::expected<void, closed> await_resume() {
    detail::current_shard->throw_if_cancelled();
    return by_.take();
  }

  // For `select`. The first two require the lock.
  [[nodiscard]] bool try_now(detail::wake_last& /*woken*/) const noexcept { return is_complete(); }
  [[nodiscard]] bool enqueue() noexcept {
    by_.seen_.begin_waiting();
    by_.of_->waiters_.push_back(*this);
    return true;
  }
  [[nodiscard]] detail::brief_lock* select_lock() const noexcept { return &by_.of_->lock_; }
  /// False if it is not in the queue.
  [[nodiscard]] bool withdraw() noexcept {
    watch& watch = *by_.of_;
    const std::scoped_lock guard(watch.lock_);
    return watch.waiters_.withdraw(*this, by_.seen_, by_.has_news());
  }

 private:
  [[nodiscard]] bool is_complete() const noexcept {
    if (by_.seen_.is_waiting()) {
      detail::misuse("watch::receiver::changed: another task waits in this receiver: copy it");
    }
    return by_.has_news();
  }

  receiver& by_;
};

}  // namespace tare
