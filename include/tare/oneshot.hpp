#pragma once

// One value, sent once, from any thread: the bridge from callbacks and threads to tasks.
//
//   auto [sender, receiver] = tare::make_oneshot<reply>();
//   client.call(request, [s = std::move(sender)](reply r) mutable { s.send(std::move(r)); });
//   auto r = co_await tare::timeout(50ms, receiver.receive());   // std::expected<std::expected<reply, closed>,
//   timed_out>
//
// The two halves share one allocation, which the last of them frees: the callback may come when the task has long given
// up, from any thread, also when the runtime has ended. If it never comes and its sender is destroyed, the receiver is
// given `closed`.
//
// Bytes: 8 for each half; 24 and a std::optional of the value in the shared allocation; a waiting receive holds 56 in
// its frame.

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

/// What the halves share, and a waiting receive, which counts as a half.
template <class T>
class oneshot_state {
 public:
  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  /// False if nobody can receive it; then `value` is untouched. Throws what the move throws; likewise.
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
      finish(woken);  // who waits without a receiver waits for nothing
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
    if (finished_) return current_shard->end_at_once(task);
    if (const auto refused = refuse_if_cancelled(task)) return *refused;
    node.begin(task);
    waiters_.queue.push_back(node);
    return true;
  }
  void give_up(queued_wait& node) noexcept {
    {
      const std::scoped_lock guard(waiters_.lock);
      if (node.granted) return;
      waiters_.queue.remove(node);
    }
    node.wake_here(wait_kind::ready_cancelled);
  }

 private:
  void finish(wake_list& woken) noexcept {
    finished_ = true;
    while (queued_wait* next = queued_wait::grant_first(waiters_.queue)) woken.push(*next);
  }

  waiters waiters_;
  std::atomic<std::uint32_t> references_ = 2;
  bool finished_ = false;  ///< a value was sent, or none will be
  bool receiver_gone_ = false;
  std::optional<T> value_;
};

/// A half's share of the state. Move-only.
template <class T>
class oneshot_share {
 public:
  oneshot_share() noexcept = default;
  explicit oneshot_share(oneshot_state<T>* of) noexcept : of_(of) {}
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

/// The half that sends. Move-only; a copyable callback holds it by std::shared_ptr. Destroyed without having sent, it
/// tells the receiver that no value will come.
///
/// **Threads** Any, one at a time. **Bytes** 8.
template <std::movable T>
class [[nodiscard]] oneshot_sender {
 public:
  /// Of nothing: `send` gives false.
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

  /// Hands `value` over, to be received once. It wakes the receiver's task; it does not run it.
  ///
  /// **Errors** False if the receiver has gone, or this has sent or is closed already; then `value` is untouched.
  /// Throws what moving T throws; then nothing was sent, and it may be tried again. **Threads** Any; the receiver, its
  /// task and its runtime may end meanwhile.
  bool send(T&& value) {
    if (!state_ || !state_->send(value)) return false;
    state_ = {};
    return true;
  }

  /// No value will come: the receiver is given `closed`. After `send`, or twice, it does nothing.
  void close() noexcept {
    if (!state_) return;
    state_->sender_gone();
    const detail::oneshot_share<T> dropped(std::move(state_));
  }

  /// False if a value would be received by nobody: the work for it can be left.
  [[nodiscard]] bool is_wanted() const noexcept { return state_ && !state_->is_receiver_gone(); }

 private:
  friend oneshot_halves<T> make_oneshot<T>();
  explicit oneshot_sender(detail::oneshot_state<T>* of) noexcept : state_(of) {}

  detail::oneshot_share<T> state_;
};

/// The half that receives. Move-only. May be destroyed at any time, also while a task waits in `receive`, which then
/// gives `closed`.
///
/// **Bytes** 8.
template <std::movable T>
class [[nodiscard]] oneshot_receiver {
 public:
  class receive_awaiter;
  struct receive_request {
    using tare_awaiter = receive_awaiter;
    detail::oneshot_state<T>* from;
  };

  /// Of nothing: receives `closed`.
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
  /// **Errors** Gives std::expected<T, closed>: `closed` if the sender has gone without sending, or the value has been
  /// received already. **Cancellation** A receive that is cancelled has taken nothing: a value that comes, or has come,
  /// is given to the next one. **Threads** On any shard; to be awaited while the receiver exists, by one task at a
  /// time: of several that wait, one is given the value and the others `closed`. **Bytes** 72 and the value in the
  /// frame.
  [[nodiscard]] receive_request receive() noexcept { return {state_.get()}; }

  /// The value, if it is there. **Threads** Any.
  [[nodiscard]] std::optional<T> try_receive() { return state_ ? state_->take() : std::nullopt; }

 private:
  friend oneshot_halves<T> make_oneshot<T>();
  explicit oneshot_receiver(detail::oneshot_state<T>* of) noexcept : state_(of) {}

  detail::oneshot_share<T> state_;
};

template <std::movable T>
class oneshot_receiver<T>::receive_awaiter : private detail::queued_wait {
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
      auto& waiter = static_cast<receive_awaiter&>(node);
      waiter.from_->give_up(waiter);
    };
    return from_->wait(*this, task);
  }
  std::expected<T, closed> await_resume() {
    detail::current_shard->throw_if_cancelled();
    std::optional<T> taken = from_ ? from_->take() : std::nullopt;
    if (!taken) return std::unexpected(closed());
    return std::move(*taken);
  }

 private:
  detail::oneshot_share<T> from_;
};

template <std::movable T>
oneshot_halves<T> make_oneshot() {
  auto* const state = new detail::oneshot_state<T>();
  return {.sender = oneshot_sender<T>(state), .receiver = oneshot_receiver<T>(state)};
}

/// The same without an allocation, for where its life is known: it has to outlive the receiver's wait **and** the calls
/// of `send` and `close`. In a task's frame that takes care: every await may throw `cancelled`, when a time limit is
/// up, a sibling fails or the runtime ends, and then the frame is gone and the sender writes into freed memory. Await
/// the receive in a `shield`, make sure before leaving that no `send` will come, or use `make_oneshot`.
///
/// One sender, one receiver. `send` and `close` do not touch it after the receiver could have gone on.
/// **Bytes** Room for the value, and 24; a waiting receive holds 56 in its frame.
template <std::movable T>
class oneshot {
 public:
  class receive_awaiter;
  struct receive_request {
    using tare_awaiter = receive_awaiter;
    oneshot& from;
  };

  oneshot() = default;
  oneshot(const oneshot&) = delete;
  oneshot& operator=(const oneshot&) = delete;
  ~oneshot() = default;

  /// False if there was a value already, or `close` was called.
  bool send(T value) {
    return finish([&] { value_.emplace(std::move(value)); });
  }
  /// No value will come: the receiver is given `closed`.
  void close() noexcept {
    finish([] {});
  }

  /// Gives std::expected<T, closed>. To be awaited once.
  [[nodiscard]] receive_request receive() noexcept { return {*this}; }

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
class oneshot<T>::receive_awaiter : private detail::queued_wait {
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
      auto& waiter = static_cast<receive_awaiter&>(node);
      {
        const std::scoped_lock relocked(waiter.from_.waiters_.lock);
        if (waiter.granted) return;
        waiter.from_.waiters_.queue.remove(waiter);
      }
      waiter.wake_here(detail::wait_kind::ready_cancelled);
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

 private:
  oneshot& from_;
};

}  // namespace tare
