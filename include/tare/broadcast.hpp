#pragma once

// Every value to every receiver, in order, with one stored copy of each value.
//
//   tare::broadcast<quote> quotes(256);                           // slow receivers skip; or slow_receivers::wait
//   auto mine = quotes.subscribe();                               // receives what is sent from now on
//   while (auto got = co_await mine.receive()) show(**got);       // until closed; got->skipped(): how many it missed
//   (void)co_await quotes.send(quote{...});                       // elsewhere
//
// A value is freed when the last receiver has taken it and no longer uses it, so `capacity` limits how far a receiver
// may fall behind, not how much memory is used when all keep up.
//
// **Bytes** A value and 40 each, 24 for its place in the ring of places, which grows up to `capacity`; a receiver is
// 16; a waiting receive holds 80 in its frame, a waiting send 112.

#include <tare/broadcast_value.hpp>
#include <tare/detail/cursor.hpp>
#include <tare/detail/misuse.hpp>
#include <tare/detail/news_queue.hpp>
#include <tare/detail/queued_wait.hpp>
#include <tare/detail/ring.hpp>
#include <tare/detail/timed_wait.hpp>
#include <tare/error.hpp>

#include <algorithm>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace tare {

/// What a broadcast does when a receiver is `capacity` values behind.
enum class slow_receivers : std::uint8_t {
  skip,  ///< drop the oldest value; the receiver is told how many it missed
  wait,  ///< let senders wait for it
};

/// Must outlive its receivers and its waiters: the destructor aborts the program if a receiver exists.
template <std::move_constructible T>
class broadcast {
 public:
  class receiver;
  class send_awaiter;
  class receive_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] send_request {
    using tare_awaiter = send_awaiter;
    broadcast& into;
    std::shared_ptr<const T> value;
  };
  struct [[nodiscard("nothing happens until it is awaited")]] receive_request {
    using tare_awaiter = receive_awaiter;
    receiver& by;
  };

  /// `capacity` is at least 1; otherwise the program is aborted.
  explicit broadcast(std::size_t capacity, slow_receivers policy = slow_receivers::skip) noexcept
      : capacity_(capacity), policy_(policy) {
    if (capacity == 0) detail::misuse("broadcast::broadcast: the capacity must be at least 1");
  }
  broadcast(const broadcast&) = delete;
  broadcast& operator=(const broadcast&) = delete;
  ~broadcast() {
    if (receiver_count_ != 0) detail::misuse("broadcast::~broadcast: a receiver still exists: destroy it first");
  }

  /// A receiver of all values that are sent from now on. **Threads** Any.
  receiver subscribe() noexcept {
    const std::scoped_lock guard(lock_);
    ++receiver_count_;
    return receiver(*this, next());
  }

  /// Sends to all receivers that exist. Waits only if the policy is `wait` and a receiver is `capacity` values behind.
  ///
  /// **Errors** Returns the number of receivers, or `closed`. Throws std::bad_alloc; then nothing was sent.
  /// **Cancellation** A cancelled send has sent nothing. **Threads** Any shard. **Bytes** 112 in the frame.
  send_request send(T value) { return {*this, std::make_shared<const T>(std::move(value))}; }

  /// The same without waiting: false, with `value` unchanged, if it is closed or would have to wait.
  ///
  /// **Errors** Throws std::bad_alloc; then `value` is unchanged. **Threads** Any.
  [[nodiscard]] bool try_send(T& value) {
    std::shared_ptr<const T> unused;
    woken wakes;
    const std::scoped_lock guard(lock_);
    if (closed_ || !has_room()) return false;
    make_place();
    auto shared = std::make_shared<const T>(std::move(value));
    unused = put(shared, wakes.receivers);
    return true;
  }

  /// From now on nothing is accepted: waiting sends fail, and receivers get `closed` after the last value. **Threads**
  /// Any.
  void close() noexcept {
    woken wakes;
    const std::scoped_lock guard(lock_);
    closed_ = true;
    receivers_.take_all(wakes.receivers);
    while (detail::queued_wait* next = detail::queued_wait::grant_first(senders_)) {
      static_cast<send_awaiter*>(next)->refused_ = true;
      wakes.senders.push(*next);
    }
  }

  /// Number of values that some receiver has not taken yet.
  [[nodiscard]] std::size_t size() const {
    const std::scoped_lock guard(lock_);
    return ring_.size();
  }
  [[nodiscard]] std::size_t receivers() const {
    const std::scoped_lock guard(lock_);
    return receiver_count_;
  }

 private:
  struct place {
    std::shared_ptr<const T> value;
    std::size_t left = 0;  ///< receivers that have not taken it; never more than in the next place
  };
  /// Tasks to be woken after unlocking: declare it before the lock's guard.
  struct woken {
    woken() = default;
    woken(const woken&) = delete;
    woken& operator=(const woken&) = delete;
    ~woken() {
      receivers.wake_all();
      senders.wake_all();
    }
    detail::wake_list receivers;
    detail::wake_list senders;
  };

  // All of these require the lock.
  /// The number that the next value will have.
  [[nodiscard]] std::uint64_t next() const noexcept { return first_ + ring_.size(); }
  [[nodiscard]] bool has_room() const noexcept {
    return policy_ == slow_receivers::skip || ring_.size() < capacity_ || receiver_count_ == 0;
  }
  /// Before `put`. Throws std::bad_alloc.
  void make_place() {
    if (receiver_count_ != 0 && ring_.size() < capacity_) ring_.make_room();
  }
  /// Accepts the value; returns one that is no longer needed, to be destroyed after unlocking.
  [[nodiscard]] std::shared_ptr<const T> put(std::shared_ptr<const T>& value, detail::wake_list& woken) noexcept {
    if (receiver_count_ == 0) return std::move(value);
    std::shared_ptr<const T> skipped;
    if (ring_.size() == capacity_) skipped = pop();
    ring_.push_back({.value = std::move(value), .left = receiver_count_});
    receivers_.take_all(woken);
    return skipped;
  }
  [[nodiscard]] std::shared_ptr<const T> pop() noexcept {
    ++first_;
    return ring_.pop_front().value;
  }
  /// Lets senders that wait have the room that there is. They need no `make_place`, because the ring has been full.
  void admit_senders(woken& wakes) noexcept {
    while (has_room()) {
      // None may be left: a select that has been completed otherwise stays in the queue until its task resumes.
      auto* sender = static_cast<send_awaiter*>(detail::queued_wait::grant_first(senders_));
      if (sender == nullptr) return;
      sender->receivers_ = receiver_count_;
      sender->value_ = put(sender->value_, wakes.receivers);
      wakes.senders.push(*sender);
    }
  }

  mutable detail::brief_lock lock_;
  detail::wait_list senders_;
  detail::news_queue receivers_;
  detail::ring<place> ring_;
  std::uint64_t first_ = 0;  ///< the number of the oldest value in the ring
  std::size_t capacity_;
  std::size_t receiver_count_ = 0;
  slow_receivers policy_;
  bool closed_ = false;
};

/// Receives each value once, in order. Move-only; not while a task waits in it. Destroying it releases the values that
/// it has not taken.
///
/// **Threads** Any, but one at a time. **Bytes** 16.
template <std::move_constructible T>
class [[nodiscard("a receiver gets only what is sent while it exists")]] broadcast<T>::receiver {
 public:
  using value_type = T;

  receiver(receiver&& other) noexcept : of_(other.of_), cursor_(other.cursor_) {
    if (other.cursor_.is_waiting()) detail::misuse("broadcast::receiver: moved while a task waits in `receive`");
    other.of_ = nullptr;
  }
  receiver& operator=(receiver&& other) noexcept {
    if (cursor_.is_waiting() || other.cursor_.is_waiting())
      detail::misuse("broadcast::receiver: moved while a task waits in `receive`");
    const receiver moved(std::move(*this));
    of_ = std::exchange(other.of_, nullptr);
    cursor_ = other.cursor_;
    return *this;
  }
  receiver(const receiver&) = delete;
  receiver& operator=(const receiver&) = delete;
  ~receiver() {
    if (of_ != nullptr) leave();
  }

  /// Waits for the next value.
  ///
  /// **Errors** Returns std::expected<broadcast_value<T>, closed>. Aborts the program if another task waits in this
  /// receiver. **Cancellation** A cancelled receive has taken nothing. **Threads** Any shard. **Bytes** 80 in the
  /// frame.
  receive_request receive() noexcept {
    check();
    return {*this};
  }

  /// The next value, if there is one. **Threads** Any, but not while a task waits in `receive`.
  [[nodiscard]] std::optional<broadcast_value<T>> try_receive() {
    check();
    {
      const std::scoped_lock guard(of_->lock_);
      if (cursor_.at() == of_->next()) return std::nullopt;
    }
    return *take();
  }

 private:
  friend class broadcast;
  receiver(broadcast& broadcast, std::uint64_t cursor) noexcept : of_(&broadcast), cursor_(cursor) {}

  void check() const noexcept {
    if (of_ == nullptr) detail::misuse("broadcast::receiver::receive: the receiver has been moved from");
  }
  /// Requires the lock. If a task waits here, true if and only if it is about to be woken.
  [[nodiscard]] bool has_news() const noexcept { return cursor_.at() < of_->next() || of_->closed_; }

  [[nodiscard]] std::expected<broadcast_value<T>, closed> take() {
    woken wakes;
    const std::scoped_lock guard(of_->lock_);
    cursor_.end_waiting();
    if (cursor_.at() == of_->next()) {
      if (!of_->closed_) detail::misuse("broadcast::receiver::receive: two tasks receive at the same time");
      return std::unexpected(closed());
    }
    const std::uint64_t position = std::max(cursor_.at(), of_->first_);
    const std::uint64_t skipped = position - cursor_.at();
    cursor_.move_to(position + 1);
    place& found = of_->ring_[position - of_->first_];
    if (--found.left != 0) return broadcast_value<T>(found.value, skipped);
    // It is the oldest, because older ones have been taken by at least as many.
    broadcast_value<T> last(of_->pop(), skipped);
    of_->admit_senders(wakes);
    return last;
  }

  void leave() noexcept {
    {
      const std::scoped_lock guard(of_->lock_);
      if (cursor_.is_waiting()) detail::misuse("broadcast::receiver: destroyed while a task waits in `receive`");
      --of_->receiver_count_;
      const std::uint64_t end = of_->next();
      for (std::uint64_t position = std::max(cursor_.at(), of_->first_); position != end; ++position) {
        --of_->ring_[position - of_->first_].left;
      }
    }
    while (free_one()) {
    }
  }
  /// Frees a value that nobody wants any more, without the lock, because its destructor may do anything.
  [[nodiscard]] bool free_one() noexcept {
    std::shared_ptr<const T> unused;
    woken wakes;
    const std::scoped_lock guard(of_->lock_);
    const bool found = !of_->ring_.empty() && of_->ring_.front().left == 0;
    if (found) unused = of_->pop();
    of_->admit_senders(wakes);
    return found;
  }

  broadcast* of_;
  detail::cursor cursor_;  ///< the number of the next value; guarded by the lock
};

template <std::move_constructible T>
class broadcast<T>::receive_awaiter : public detail::queued_wait {
 public:
  receive_awaiter(receive_request request, detail::wait_state& /*task*/) noexcept : by_(request.by) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    detail::wait_state& task = self.promise();
    broadcast& broadcast = *by_.of_;
    const std::scoped_lock guard(broadcast.lock_);
    if (is_complete()) return detail::current_shard->end_at_once(task);
    if (const auto refused = detail::refuse_if_cancelled(task)) return *refused;
    give_up = &detail::give_up_queued<receive_awaiter>;
    begin(task);
    return enqueue();
  }
  std::expected<broadcast_value<T>, closed> await_resume() {
    detail::current_shard->throw_if_cancelled();
    return by_.take();
  }

  // For `select`. The first two require the lock.
  [[nodiscard]] bool try_now(detail::wake_last& /*woken*/) const noexcept { return is_complete(); }
  [[nodiscard]] bool enqueue() noexcept {
    by_.cursor_.begin_waiting();
    by_.of_->receivers_.push_back(*this);
    return true;
  }
  [[nodiscard]] detail::brief_lock* select_lock() const noexcept { return &by_.of_->lock_; }
  /// False if it is not in the queue.
  [[nodiscard]] bool withdraw() noexcept {
    broadcast& broadcast = *by_.of_;
    const std::scoped_lock guard(broadcast.lock_);
    return broadcast.receivers_.withdraw(*this, by_.cursor_, by_.has_news());
  }

 private:
  [[nodiscard]] bool is_complete() const noexcept {
    if (by_.cursor_.is_waiting()) detail::misuse("broadcast::receiver::receive: two tasks receive at the same time");
    return by_.has_news();
  }

  receiver& by_;
};

template <std::move_constructible T>
class broadcast<T>::send_awaiter : public detail::queued_wait {
 public:
  send_awaiter(send_request&& request, detail::wait_state& /*task*/) noexcept
      : into_(request.into), value_(std::move(request.value)) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    detail::wait_state& task = self.promise();
    {
      woken wakes;
      const std::scoped_lock guard(into_.lock_);
      if (!try_send(wakes.receivers)) {
        if (const auto refused = detail::refuse_if_cancelled(task)) return *refused;
        give_up = &detail::give_up_queued<send_awaiter>;
        begin(task);
        return enqueue();
      }
    }
    return detail::current_shard->end_at_once(task);
  }
  std::expected<std::size_t, closed> await_resume() const {
    detail::current_shard->throw_if_cancelled();
    if (refused_) return std::unexpected(closed());
    return receivers_;
  }

  // For `select`. The first two require the lock.
  [[nodiscard]] bool try_now(detail::select_wakes& woken) { return try_send(woken.all); }
  [[nodiscard]] bool enqueue() noexcept {
    into_.senders_.push_back(*this);
    return true;
  }
  [[nodiscard]] detail::brief_lock* select_lock() const noexcept { return &into_.lock_; }
  /// False if it is not in the queue.
  [[nodiscard]] bool withdraw() noexcept { return withdraw_from(into_.lock_, into_.senders_); }
  void give_back(send_request& to) noexcept { to.value = std::move(value_); }

 private:
  friend class broadcast;
  /// False if it must wait. Requires the lock. Throws std::bad_alloc; then nothing was sent.
  [[nodiscard]] bool try_send(detail::wake_list& woken) {
    refused_ = into_.closed_;
    if (refused_) return true;
    if (!into_.has_room()) return false;
    into_.make_place();
    receivers_ = into_.receiver_count_;
    // A value that has been skipped is destroyed with this wait, without the lock.
    value_ = into_.put(value_, woken);
    return true;
  }

  broadcast& into_;
  std::shared_ptr<const T> value_;
  std::size_t receivers_ = 0;
  bool refused_ = false;
};

}  // namespace tare
