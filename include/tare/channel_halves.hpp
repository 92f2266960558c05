#pragma once

// A channel in two halves, which closes by itself when the last sender or the last receiver is destroyed.
//
//   auto [jobs, work] = tare::make_channel<job>(128);            // or tare::unbounded
//   for (int i = 0; i < 4; ++i) s.spawn(worker(work));           // copies share the channel
//   (void)co_await jobs.send(job{...});                          // `closed` once no worker is left
//   jobs = {};                                                   // no more jobs: the workers end
//
// The halves share one allocation, which the last half frees. They may be destroyed in any order, in tasks, in
// callbacks and on threads, even while a task waits in them.
//
// **Bytes** 8 per half; the shared allocation is 136, and the channel's buffer beside it; a waiting receive holds 72
// and the value in its frame, a waiting send 80 and the value.

#include <tare/channel.hpp>
#include <tare/detail/misuse.hpp>
#include <tare/error.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <type_traits>
#include <utility>

namespace tare {

template <std::movable T>
class channel_sender;
template <std::movable T>
class channel_receiver;

template <std::movable T>
struct channel_halves {
  channel_sender<T> sender;
  channel_receiver<T> receiver;
};

/// **Errors** Throws std::bad_alloc. **Threads** Any. **Bytes** One allocation.
template <std::movable T>
[[nodiscard]] channel_halves<T> make_channel(std::size_t capacity);

namespace detail {

template <class T>
struct channel_state {
  explicit channel_state(std::size_t capacity) : values(capacity) {}

  channel<T> values;
  std::atomic<std::uint32_t> references = 0;  ///< halves, and tasks that wait
  std::atomic<std::uint32_t> senders = 0;
  std::atomic<std::uint32_t> receivers = 0;
};

/// A reference to the state.
template <class T>
class channel_share {
 public:
  channel_share() noexcept = default;
  explicit channel_share(channel_state<T>* state) noexcept : of_(state) {
    if (of_ != nullptr) of_->references.fetch_add(1, std::memory_order_relaxed);
  }
  channel_share(const channel_share& other) noexcept : channel_share(other.of_) {}
  channel_share(channel_share&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
  channel_share& operator=(const channel_share& other) noexcept {
    channel_share copy(other);
    std::swap(of_, copy.of_);
    return *this;
  }
  channel_share& operator=(channel_share&& other) noexcept {
    channel_share moved(std::move(other));
    std::swap(of_, moved.of_);
    return *this;
  }
  ~channel_share() {
    if (of_ != nullptr && of_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete of_;
  }

  explicit operator bool() const noexcept { return of_ != nullptr; }
  channel_state<T>* operator->() const noexcept { return of_; }
  /// The channel; aborts the program if there is none.
  [[nodiscard]] channel<T>& values(const char* message) const noexcept {
    if (of_ == nullptr) misuse(message);
    return of_->values;
  }

 private:
  channel_state<T>* of_ = nullptr;
};

/// One of the halves: counts in `Count`, and calls `Last` when the last one is destroyed.
template <class T, std::atomic<std::uint32_t> channel_state<T>::* Count, auto Last>
class channel_half {
 public:
  channel_half() noexcept = default;
  explicit channel_half(channel_share<T> share) noexcept : share_(std::move(share)) { enter(); }
  channel_half(const channel_half& other) noexcept : share_(other.share_) { enter(); }
  channel_half(channel_half&& other) noexcept = default;
  channel_half& operator=(const channel_half& other) noexcept {
    channel_half copy(other);
    std::swap(share_, copy.share_);
    return *this;
  }
  channel_half& operator=(channel_half&& other) noexcept {
    channel_half moved(std::move(other));
    std::swap(share_, moved.share_);
    return *this;
  }
  ~channel_half() {
    if (share_ && ((*share_.operator->()).*Count).fetch_sub(1, std::memory_order_acq_rel) == 1) Last(share_->values);
  }

  [[nodiscard]] const channel_share<T>& share() const noexcept { return share_; }

 private:
  void enter() noexcept {
    if (share_) ((*share_.operator->()).*Count).fetch_add(1, std::memory_order_relaxed);
  }

  channel_share<T> share_;
};

template <class T>
inline constexpr auto last_sender_left = [](channel<T>& values) noexcept { values.close(); };
/// What nobody can receive is destroyed at once; if its move might throw, with the channel.
template <class T>
inline constexpr auto last_receiver_left = [](channel<T>& values) noexcept {
  values.close();
  if constexpr (std::is_nothrow_move_constructible_v<T>) {
    while (values.try_receive()) {
    }
  }
};

inline constexpr const char* no_sender =
    "channel_sender: it is empty or has been moved from: use one from make_channel, or a copy of it";
inline constexpr const char* no_receiver =
    "channel_receiver: it is empty or has been moved from: use one from make_channel, or a copy of it";

}  // namespace detail

/// The sending half. Copies send into the same channel, which closes when the last one is destroyed.
///
/// **Threads** Copy and destroy on any thread; each object by one thread at a time. **Bytes** 8.
template <std::movable T>
class [[nodiscard("the channel is closed when its last sender is destroyed")]] channel_sender {
 public:
  class send_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] send_request {
    using tare_awaiter = send_awaiter;
    detail::channel_share<T> into;
    T value;
  };

  /// An empty sender. Assigning one gives up the sender that was there.
  channel_sender() noexcept = default;

  /// Waits for space.
  ///
  /// **Errors** Returns std::expected<void, closed>: `closed` if no receiver is left. Aborts the program if this sender
  /// is empty. **Cancellation** A cancelled send has sent nothing; the value is dropped with the frame. **Threads** Any
  /// shard. **Bytes** 80 and the value in the frame.
  send_request send(T value) const {
    (void)half_.share().values(detail::no_sender);
    return {half_.share(), std::move(value)};
  }
  /// False, with `value` unchanged, if the channel is full or no receiver is left. **Threads** Any.
  [[nodiscard]] bool try_send(T& value) const { return half_.share().values(detail::no_sender).try_send(value); }
  /// See `channel::blocking_send`.
  std::expected<void, closed> blocking_send(T value) const {
    return half_.share().values(detail::no_sender).blocking_send(std::move(value));
  }
  /// False if nothing can receive a value any more: you can skip the work of producing it.
  [[nodiscard]] bool is_wanted() const noexcept { return half_.share() && !half_.share()->values.is_closed(); }

 private:
  friend channel_halves<T> make_channel<T>(std::size_t capacity);
  explicit channel_sender(const detail::channel_share<T>& share) noexcept : half_(share) {}

  detail::channel_half<T, &detail::channel_state<T>::senders, detail::last_sender_left<T>> half_;
};

/// The receiving half. Copies receive from the same channel: each value goes to one of them. When the last one is
/// destroyed, values that are left are destroyed, and sends fail.
///
/// **Threads** Copy and destroy on any thread; each object by one thread at a time. **Bytes** 8.
template <std::movable T>
class [[nodiscard("the channel is closed when its last receiver is destroyed")]] channel_receiver {
 public:
  class receive_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] receive_request {
    using tare_awaiter = receive_awaiter;
    detail::channel_share<T> from;
  };

  /// An empty receiver. Assigning one gives up the receiver that was there.
  channel_receiver() noexcept = default;

  /// Waits for a value.
  ///
  /// **Errors** Returns std::expected<T, closed>: `closed` if the channel is empty and no sender is left. Aborts the
  /// program if this receiver is empty. **Cancellation** A cancelled receive has taken nothing. **Threads** Any shard.
  /// **Bytes** 72 and the value in the frame.
  receive_request receive() const {
    (void)half_.share().values(detail::no_receiver);
    return {half_.share()};
  }
  /// A value, if there is one. **Threads** Any.
  [[nodiscard]] std::optional<T> try_receive() const { return half_.share().values(detail::no_receiver).try_receive(); }
  /// See `channel::blocking_receive`.
  std::expected<T, closed> blocking_receive() const {
    return half_.share().values(detail::no_receiver).blocking_receive();
  }

 private:
  friend channel_halves<T> make_channel<T>(std::size_t capacity);
  explicit channel_receiver(const detail::channel_share<T>& share) noexcept : half_(share) {}

  detail::channel_half<T, &detail::channel_state<T>::receivers, detail::last_receiver_left<T>> half_;
};

// The channel must outlive its waiters, so a waiting task has a share of it. The request keeps its own, because
// `select` can use a request again.

template <std::movable T>
class channel_sender<T>::send_awaiter : private detail::channel_share<T>, public channel<T>::send_awaiter {
 public:
  send_awaiter(send_request&& request, detail::wait_state& task)
      : detail::channel_share<T>(request.into),
        channel<T>::send_awaiter({this->values(detail::no_sender), std::move(request.value)}, task) {}
};

template <std::movable T>
class channel_receiver<T>::receive_awaiter : private detail::channel_share<T>, public channel<T>::receive_awaiter {
 public:
  receive_awaiter(const receive_request& request, detail::wait_state& task)
      : detail::channel_share<T>(request.from),
        channel<T>::receive_awaiter({this->values(detail::no_receiver)}, task) {}
};

template <std::movable T>
channel_halves<T> make_channel(std::size_t capacity) {
  const detail::channel_share<T> state(new detail::channel_state<T>(capacity));
  return {.sender = channel_sender<T>(state), .receiver = channel_receiver<T>(state)};
}

}  // namespace tare
