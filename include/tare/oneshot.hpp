#pragma once

// One value, sent once, from any thread: the bridge from callbacks and threads to tasks.
//
//   auto [sender, receiver] = tare::make_oneshot<reply>();
//   client.call(request, [s = std::move(sender)](reply r) mutable { s.send(std::move(r)); });
//   auto r = co_await tare::timeout(50ms, receiver.receive());   // std::expected<std::expected<reply, closed>,
//   timed_out>
//
// The two halves share one allocation, which the last half frees. The callback may run on any thread, long after the
// task has given up, and even after the runtime has ended. If the callback never runs and its sender is destroyed, the
// receiver gets `closed`.
//
// **Bytes** 8 per half; 24 and a std::optional of the value in the shared allocation; a waiting receive holds 56 in its
// frame.

#include <tare/detail/queued_wait.hpp>
#include <tare/error.hpp>

#include <atomic>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <expected>
#include <mutex>
#include <optional>
#include <utility>

namespace tare {

template <std::movable T>
class oneshot_sender;
template <std::movable T>
class oneshot_receiver;

template <std::movable T>
struct oneshot_halves {
  oneshot_sender<T> sender;
  oneshot_receiver<T> receiver;
};

/// **Errors** Throws std::bad_alloc. **Threads** Any. **Bytes** One allocation, of 24 and a std::optional<T>.
template <std::movable T>
[[nodiscard]] oneshot_halves<T> make_oneshot();

namespace detail {

/// The state shared by the halves and by a waiting receive, which counts as a half.
template <class T>
class oneshot_state {
 public:
  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  /// False, with `value` unchanged, if the receiver is gone. If the move throws, the exception propagates and nothing
  /// was sent.
  bool send(T& value) {
    wake_list woken;
    {
      const std::scoped_lock guard(waiters_.lock);
      if (receiver_gone_) return false;
      value_.emplace(std::move(value));
      finish(woken);
    }
    woken.wake_all();
    return true;
  }
  void sender_gone() noexcept {
    wake_list woken;
    {
      const std::scoped_lock guard(waiters_.lock);
      finish(woken);
    }
    woken.wake_all();
  }
  void receiver_gone() noexcept {
    wake_list woken;
    {
      const std::scoped_lock guard(waiters_.lock);
      receiver_gone_ = true;
      finish(woken);  // a wait without a receiver can never succeed
    }
    woken.wake_all();
  }
  [[nodiscard]] bool is_receiver_gone() noexcept {
    const std::scoped_lock guard(waiters_.lock);
    return receiver_gone_;
  }

  [[nodiscard]] bool is_finished() noexcept {
    const std::scoped_lock guard(waiters_.lock);
    return finished_;
  }
  [[nodiscard]] std::optional<T> take() {
    const std::scoped_lock guard(waiters_.lock);
    std::optional<T> taken(std::move(value_));
    value_.reset();
    return taken;
  }

  /// What await_suspend returns.
  [[nodiscard]] bool wait(queued_wait& node, wait_state& task) noexcept {
    const std::scoped_lock guard(waiters_.lock);
    return node.wait_unless(finished_, task, waiters_.queue);
  }
  /// False if it is not in the queue.
  [[nodiscard]] bool withdraw(queued_wait& node) noexcept { return node.withdraw_from(waiters_.lock, waiters_.queue); }

  // For `select`. Both require the lock.
  [[nodiscard]] brief_lock* lock() noexcept { return &waiters_.lock; }
  [[nodiscard]] bool has_finished() const noexcept { return finished_; }
  void enqueue(queued_wait& node) noexcept { waiters_.queue.push_back(node); }

 private:
  void finish(wake_list& woken) noexcept {
    finished_ = true;
    while (queued_wait* next = queued_wait::grant_first(waiters_.queue)) woken.push(*next);
  }

  waiters waiters_;
  std::atomic<std::uint32_t> references_ = 2;
  bool finished_ = false;  ///< a value was sent, or the sender is gone
  bool receiver_gone_ = false;
  std::optional<T> value_;
};

/// A half's reference to the state. Move-only.
template <class T>
class oneshot_share {
 public:
  oneshot_share() noexcept = default;
  explicit oneshot_share(oneshot_state<T>* state) noexcept : of_(state) {}
  oneshot_share(oneshot_share&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
  oneshot_share& operator=(oneshot_share&& other) noexcept {
    std::swap(of_, other.of_);
    return *this;
  }
  oneshot_share(const oneshot_share&) = delete;
  oneshot_share& operator=(const oneshot_share&) = delete;
  ~oneshot_share() {
    if (of_ != nullptr) of_->drop();
  }

  explicit operator bool() const noexcept { return of_ != nullptr; }
  oneshot_state<T>* operator->() const noexcept { return of_; }
  [[nodiscard]] oneshot_state<T>* get() const noexcept { return of_; }

 private:
  oneshot_state<T>* of_ = nullptr;
};

}  // namespace detail

/// The sending half. Move-only; a copyable callback can hold it in a std::shared_ptr. If destroyed without having sent,
/// the receiver gets `closed`.
///
/// **Threads** Any, but one at a time. **Bytes** 8.
template <std::movable T>
class [[nodiscard("the receiver gets `closed` when the sender is destroyed")]] oneshot_sender {
 public:
  /// An empty sender: `send` returns false.
  oneshot_sender() noexcept = default;
  oneshot_sender(oneshot_sender&&) noexcept = default;
  oneshot_sender& operator=(oneshot_sender&& other) noexcept {
    oneshot_sender moved(std::move(other));
    std::swap(state_, moved.state_);
    return *this;
  }
  oneshot_sender(const oneshot_sender&) = delete;
  oneshot_sender& operator=(const oneshot_sender&) = delete;
  ~oneshot_sender() { close(); }

  /// Delivers `value` to the receiver. Wakes the receiver's task but does not run it.
  ///
  /// **Errors** False, with `value` unchanged, if the receiver is gone or this sender has already sent or been closed.
  /// Propagates an exception from moving T; then nothing was sent, and you may try again. **Threads** Any; the
  /// receiver, its task and its runtime may end concurrently.
  bool send(T&& value) {
    if (!state_ || !state_->send(value)) return false;
    state_ = {};
    return true;
  }

  /// Announces that no value will come: the receiver gets `closed`. After `send` or a previous `close` it does nothing.
  void close() noexcept {
    if (!state_) return;
    state_->sender_gone();
    const detail::oneshot_share<T> dropped(std::move(state_));
  }

  /// False if nothing can receive a value any more: you can skip the work of producing it.
  [[nodiscard]] bool is_wanted() const noexcept { return state_ && !state_->is_receiver_gone(); }

 private:
  friend oneshot_halves<T> make_oneshot<T>();
  explicit oneshot_sender(detail::oneshot_state<T>* state) noexcept : state_(state) {}

  detail::oneshot_share<T> state_;
};

/// The receiving half. Move-only. May be destroyed at any time, even while a task waits in `receive`, which then
/// returns `closed`.
///
/// **Bytes** 8.
template <std::movable T>
class [[nodiscard("what is sent is dropped when the receiver is destroyed")]] oneshot_receiver {
 public:
  class receive_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] receive_request {
    using tare_awaiter = receive_awaiter;
    detail::oneshot_state<T>* from;
  };

  /// An empty receiver: `receive` returns `closed`.
  oneshot_receiver() noexcept = default;
  oneshot_receiver(oneshot_receiver&&) noexcept = default;
  oneshot_receiver& operator=(oneshot_receiver&& other) noexcept {
    oneshot_receiver moved(std::move(other));
    std::swap(state_, moved.state_);
    return *this;
  }
  oneshot_receiver(const oneshot_receiver&) = delete;
  oneshot_receiver& operator=(const oneshot_receiver&) = delete;
  ~oneshot_receiver() {
    if (state_) state_->receiver_gone();
  }

  /// Waits for the value.
  ///
  /// **Errors** Returns std::expected<T, closed>: `closed` if the sender was destroyed without sending, or the value
  /// has already been received. **Cancellation** A cancelled receive has taken nothing: a value that has arrived, or
  /// arrives later, goes to the next receive. **Threads** Any shard. Await it while the receiver exists, and from one
  /// task at a time: if several wait, one gets the value and the others get `closed`. **Bytes** 72 and the value in the
  /// frame.
  receive_request receive() noexcept { return {state_.get()}; }

  /// The value, if it has arrived. **Threads** Any.
  [[nodiscard]] std::optional<T> try_receive() { return state_ ? state_->take() : std::nullopt; }

 private:
  friend oneshot_halves<T> make_oneshot<T>();
  explicit oneshot_receiver(detail::oneshot_state<T>* state) noexcept : state_(state) {}

  detail::oneshot_share<T> state_;
};

template <std::movable T>
class oneshot_receiver<T>::receive_awaiter : public detail::queued_wait {
 public:
  receive_awaiter(receive_request request, detail::wait_state& /*task*/) noexcept : from_(request.from) {
    if (from_) from_->retain();
  }

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    detail::wait_state& task = self.promise();
    if (!from_) return detail::current_shard->end_at_once(task);
    detail::wait_node::give_up = [](detail::wait_node& node) noexcept {
      if (static_cast<receive_awaiter&>(node).withdraw()) node.wake_here(detail::wait_kind::ready_cancelled);
    };
    return from_->wait(*this, task);
  }
  std::expected<T, closed> await_resume() {
    detail::current_shard->throw_if_cancelled();
    std::optional<T> taken = from_ ? from_->take() : std::nullopt;
    if (!taken) return std::unexpected(closed());
    return std::move(*taken);
  }

  // For `select`. The first two require the lock.
  [[nodiscard]] bool try_now(detail::wake_last& /*woken*/) const noexcept { return !from_ || from_->has_finished(); }
  [[nodiscard]] bool enqueue() noexcept {
    from_->enqueue(*this);
    return true;
  }
  [[nodiscard]] detail::brief_lock* select_lock() const noexcept { return from_ ? from_->lock() : nullptr; }
  /// False if it is not in the queue.
  [[nodiscard]] bool withdraw() noexcept { return from_ && from_->withdraw(*this); }

 private:
  detail::oneshot_share<T> from_;
};

template <std::movable T>
oneshot_halves<T> make_oneshot() {
  auto* const state = new detail::oneshot_state<T>();
  return {.sender = oneshot_sender<T>(state), .receiver = oneshot_receiver<T>(state)};
}

/// A oneshot without an allocation, for cases where its lifetime is known: it must outlive the receiver's wait **and**
/// the calls of `send` and `close`. Take care when it lives in a task's frame: every await may throw `cancelled` (a
/// time limit expires, a sibling fails, the runtime ends), which destroys the frame, and the sender then writes into
/// freed memory. Await the receive in a `shield`, make sure before leaving that no `send` will come, or use
/// `make_oneshot`.
///
/// One sender, one receiver. `send` and `close` do not access it after the receiver may have resumed. The destructor
/// aborts the program if a task waits.
/// **Bytes** 24 and space for the value; a waiting receive holds 56 in its frame.
template <std::movable T>
class oneshot {
 public:
  class receive_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] receive_request {
    using tare_awaiter = receive_awaiter;
    oneshot& from;
  };

  oneshot() = default;
  oneshot(const oneshot&) = delete;
  oneshot& operator=(const oneshot&) = delete;
  ~oneshot() {
    detail::require_no_waiter(waiters_.queue, "oneshot::~oneshot: a task waits in `receive`: let it end first");
  }

  /// False if a value was already sent or `close` was called.
  bool send(T value) {
    return finish([&] { value_.emplace(std::move(value)); });
  }
  /// Announces that no value will come: the receiver gets `closed`.
  void close() noexcept {
    finish([] {});
  }

  /// Returns std::expected<T, closed>. Await it once.
  receive_request receive() noexcept { return {*this}; }

 private:
  template <class Fill>
  bool finish(Fill fill) {
    detail::queued_wait* woken = nullptr;
    {
      const std::scoped_lock guard(waiters_.lock);
      if (finished_) return false;
      fill();
      finished_ = true;
      woken = detail::queued_wait::grant_first(waiters_.queue);
    }
    if (woken != nullptr) detail::wake(*woken);
    return true;
  }

  detail::waiters waiters_;
  bool finished_ = false;
  std::optional<T> value_;
};

template <std::movable T>
class oneshot<T>::receive_awaiter : public detail::queued_wait {
 public:
  receive_awaiter(receive_request request, detail::wait_state& /*task*/) noexcept : from_(request.from) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    detail::wait_state& task = self.promise();
    const std::scoped_lock guard(from_.waiters_.lock);
    if (from_.finished_) return detail::current_shard->end_at_once(task);
    if (const auto refused = detail::refuse_if_cancelled(task)) return *refused;
    detail::wait_node::give_up = [](detail::wait_node& node) noexcept {
      if (static_cast<receive_awaiter&>(node).withdraw()) node.wake_here(detail::wait_kind::ready_cancelled);
    };
    begin(task);
    from_.waiters_.queue.push_back(*this);
    return true;
  }
  std::expected<T, closed> await_resume() {
    detail::current_shard->throw_if_cancelled();
    if (!from_.value_) return std::unexpected(closed());
    return std::move(*from_.value_);
  }

  // For `select`. The first two require the lock.
  [[nodiscard]] bool try_now(detail::wake_last& /*woken*/) const noexcept { return from_.finished_; }
  [[nodiscard]] bool enqueue() noexcept {
    from_.waiters_.queue.push_back(*this);
    return true;
  }
  [[nodiscard]] detail::brief_lock* select_lock() const noexcept { return &from_.waiters_.lock; }
  /// False if it is not in the queue.
  [[nodiscard]] bool withdraw() noexcept { return withdraw_from(from_.waiters_.lock, from_.waiters_.queue); }

 private:
  oneshot& from_;
};

}  // namespace tare
