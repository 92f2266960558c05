#pragma once

// A queue between tasks, bounded or not: many senders and many receivers, on any shard.
//
//   tare::channel<job> jobs(128);                     // or tare::unbounded
//   co_await jobs.send(job{...});                     // waits while the channel is full
//   while (auto next = co_await jobs.receive()) ...   // until closed and empty
//
// First come, first served on both sides.
//
// **Cancellation** A value has either been delivered or is still with its sender: cancelling a waiting send drops the
// value with the sender's frame; cancelling a waiting receive loses nothing.
//
// Threads outside the runtime use `try_send`, `try_receive`, `blocking_send` and `blocking_receive`. `make_channel`
// (<tare/channel_halves.hpp>) makes a channel that closes by itself when its last sender or receiver is destroyed.
//
// **Bytes** The buffer grows with the values in it, up to `capacity`; a waiting send or receive holds 64 and the value
// in its frame. A channel of capacity 0 is a rendezvous.

#include <tare/detail/queued_wait.hpp>
#include <tare/detail/run_outside.hpp>
#include <tare/error.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace tare {

/// As a channel's capacity: sends never wait, and only the memory limits how many values it holds.
inline constexpr std::size_t unbounded = SIZE_MAX;

/// Must outlive its waiters: the destructor aborts the program if a task waits. `close`, `try_send` and `try_receive`
/// may be called from any thread.
template <std::movable T>
class channel {
 public:
  class send_awaiter;
  class receive_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] send_request {
    using tare_awaiter = send_awaiter;
    channel& into;
    T value;
  };
  struct [[nodiscard("nothing happens until it is awaited")]] receive_request {
    using tare_awaiter = receive_awaiter;
    channel& from;
  };

  explicit channel(std::size_t capacity) : capacity_(capacity) {}
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;
  ~channel() {
    detail::require_no_waiter(receivers_, "channel::~channel: a task waits in `receive`: let it end first");
    detail::require_no_waiter(senders_, "channel::~channel: a task waits in `send`: let it end first");
  }

  /// Waits for space. Returns std::expected<void, closed>.
  send_request send(T value) { return {*this, std::move(value)}; }
  /// Waits for a value. Returns std::expected<T, closed>.
  receive_request receive() noexcept { return {*this}; }

  /// False, with `value` unchanged, if the channel is full or closed.
  [[nodiscard]] bool try_send(T& value) {
    {
      detail::wake_last woken;
      const std::scoped_lock guard(lock_);
      if (closed_ || !put(value, woken)) return false;
    }
    return true;
  }

  /// Takes a value from the buffer, or from the sender that waits longest; none if there is neither. Does not wait.
  [[nodiscard]] std::optional<T> try_receive() {
    std::optional<T> value;
    {
      detail::wake_last woken;
      const std::scoped_lock guard(lock_);
      get(value, woken);
    }
    return value;
  }

  /// `send` for a thread that runs no task: blocks the thread while the channel is full. In the order of arrival with
  /// tasks that send.
  ///
  /// **Errors** Returns `closed` like `send`. Throws std::bad_alloc. Aborts the program if called in a task.
  /// **Threads** Any that runs no task. **Bytes** While it waits, a runtime of one shard.
  std::expected<void, closed> blocking_send(T value) {
    if (try_send(value)) return {};
    std::expected<void, closed> sent;
    detail::run_outside("channel::blocking_send", "send", forward_send(*this, value, sent));
    return sent;
  }
  /// `receive` for a thread that runs no task: blocks the thread while the channel is empty.
  ///
  /// **Errors** Returns `closed` like `receive`. Throws std::bad_alloc. Aborts the program if called in a task.
  /// **Threads**, **Bytes** As for `blocking_send`.
  std::expected<T, closed> blocking_receive() {
    std::optional<T> value = try_receive();
    if (!value) detail::run_outside("channel::blocking_receive", "receive", forward_receive(*this, value));
    if (!value) return std::unexpected(closed());
    return std::move(*value);
  }

  /// From now on no value is accepted: waiting sends fail, and receives continue until the channel is empty.
  void close() noexcept {
    detail::wake_list woken;
    {
      const std::scoped_lock guard(lock_);
      closed_ = true;
      while (detail::queued_wait* next = detail::queued_wait::grant_first(receivers_)) woken.push(*next);
      while (detail::queued_wait* next = detail::queued_wait::grant_first(senders_)) {
        static_cast<send_awaiter*>(next)->refused_ = true;
        woken.push(*next);
      }
    }
    woken.wake_all();
  }

  /// Number of values currently in the buffer.
  [[nodiscard]] std::size_t size() const {
    const std::scoped_lock guard(lock_);
    return buffer_.size();
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] bool is_closed() const {
    const std::scoped_lock guard(lock_);
    return closed_;
  }

 private:
  static task<> forward_send(channel& to, T& value, std::expected<void, closed>& sent) {
    sent = co_await to.send(std::move(value));
  }
  static task<> forward_receive(channel& from, std::optional<T>& value) {
    auto received = co_await from.receive();
    if (received) value.emplace(std::move(*received));
  }

  /// Moves `value` to the longest-waiting receiver, or into the buffer. Requires the lock.
  bool put(T& value, detail::wake_last& woken) {
    if (auto* first = static_cast<receive_awaiter*>(detail::queued_wait::claim_first(receivers_)); first != nullptr) {
      first->value_.emplace(std::move(value));
      woken.grant(*first, receivers_);
      return true;
    }
    if (buffer_.size() >= capacity_) return false;
    buffer_.push_back(std::move(value));
    return true;
  }

  /// Moves the oldest value into `value`, and the value of the longest-waiting sender into the buffer. If a move
  /// throws, every other value is where it was, or in the buffer.
  void get(std::optional<T>& value, detail::wake_last& woken) {
    if (buffer_.empty()) {
      auto* first = static_cast<send_awaiter*>(detail::queued_wait::claim_first(senders_));
      if (first == nullptr) return;
      value.emplace(std::move(first->value_));
      woken.grant(*first, senders_);
      return;
    }
    refill(woken);
    value.emplace(std::move(buffer_.front()));
    buffer_.pop_front();
  }

  /// Moves the value of the longest-waiting sender into the buffer, which then briefly exceeds its capacity by one, so
  /// that every value is always in one of the two places.
  void refill(detail::wake_last& woken) {
    while (auto* first = static_cast<send_awaiter*>(senders_.front())) {
      buffer_.push_back(std::move(first->value_));
      if (first->claim()) {
        woken.grant(*first, senders_);
        return;
      }
      first->value_ = std::move(buffer_.back());
      buffer_.pop_back();
      first->leave(senders_);
    }
  }

  template <class Awaiter>
  static void give_up(detail::wait_node& node) noexcept {
    if (static_cast<Awaiter&>(node).withdraw()) node.wake_here(detail::wait_kind::ready_cancelled);
  }
  /// A value must not get lost between a select that gives it and one that takes it.
  static void check_selectable() noexcept {
    static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>,
                  "select over a channel requires values that can be moved without throwing");
  }

  mutable detail::brief_lock lock_;
  detail::wait_list senders_;
  detail::wait_list receivers_;
  std::size_t capacity_;
  std::deque<T> buffer_;
  bool closed_ = false;
};

template <std::movable T>
class channel<T>::send_awaiter : public detail::queued_wait {
 public:
  send_awaiter(send_request&& request, detail::wait_state& /*task*/) noexcept(std::is_nothrow_move_constructible_v<T>)
      : at_(request.into), value_(std::move(request.value)) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    detail::wait_state& task = self.promise();
    {
      detail::wake_last woken;
      const std::scoped_lock guard(at_.lock_);
      refused_ = at_.closed_;
      if (!refused_ && !at_.put(value_, woken)) {
        if (const auto refused = detail::refuse_if_cancelled(task)) return *refused;
        detail::wait_node::give_up = &channel::give_up<send_awaiter>;
        begin(task);
        queue().push_back(*this);
        return true;
      }
    }
    if (--detail::current_shard->budget >= 0) return false;
    detail::current_shard->make_ready(task, detail::wait_kind::ready);
    return true;
  }
  std::expected<void, closed> await_resume() {
    detail::current_shard->throw_if_cancelled();
    if (refused_) return std::unexpected(closed());
    return {};
  }

  // For `select`. The first two require the lock.
  [[nodiscard]] bool try_now(detail::wake_last& woken) {
    refused_ = at_.closed_;
    return refused_ || at_.put(value_, woken);
  }
  [[nodiscard]] bool enqueue() noexcept {
    check_selectable();
    queue().push_back(*this);
    return true;
  }
  [[nodiscard]] detail::brief_lock* select_lock() const noexcept { return &at_.lock_; }
  /// False if it is not in the queue.
  [[nodiscard]] bool withdraw() noexcept { return withdraw_from(at_.lock_, queue()); }
  template <class Request>
  void give_back(Request& to) noexcept {
    to.value = std::move(value_);
  }

 private:
  friend class channel;
  [[nodiscard]] detail::wait_list& queue() noexcept { return at_.senders_; }

  channel& at_;
  T value_;
  bool refused_ = false;
};

template <std::movable T>
class channel<T>::receive_awaiter : public detail::queued_wait {
 public:
  receive_awaiter(receive_request request, detail::wait_state& /*task*/) noexcept : at_(request.from) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    detail::wait_state& task = self.promise();
    {
      detail::wake_last woken;
      const std::scoped_lock guard(at_.lock_);
      at_.get(value_, woken);
      if (!value_ && !at_.closed_) {
        if (const auto refused = detail::refuse_if_cancelled(task)) return *refused;
        detail::wait_node::give_up = &channel::give_up<receive_awaiter>;
        begin(task);
        queue().push_back(*this);
        return true;
      }
    }
    if (--detail::current_shard->budget >= 0) return false;
    detail::current_shard->make_ready(task, detail::wait_kind::ready);
    return true;
  }
  std::expected<T, closed> await_resume() {
    detail::current_shard->throw_if_cancelled();
    if (!value_) return std::unexpected(closed());
    return std::move(*value_);
  }

  // For `select`. The first two require the lock.
  [[nodiscard]] bool try_now(detail::wake_last& woken) {
    at_.get(value_, woken);
    return value_ || at_.closed_;
  }
  [[nodiscard]] bool enqueue() noexcept {
    check_selectable();
    queue().push_back(*this);
    return true;
  }
  [[nodiscard]] detail::brief_lock* select_lock() const noexcept { return &at_.lock_; }
  /// False if it is not in the queue.
  [[nodiscard]] bool withdraw() noexcept { return withdraw_from(at_.lock_, queue()); }

 private:
  friend class channel;
  [[nodiscard]] detail::wait_list& queue() noexcept { return at_.receivers_; }

  channel& at_;
  std::optional<T> value_;
};

}  // namespace tare
