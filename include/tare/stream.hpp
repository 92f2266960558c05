#pragma once

// A sequence of values that a coroutine produces one by one, and that may await between them.
//
//   tare::stream<row> rows(connection& db) {
//     while (auto r = co_await db.next()) co_yield std::move(*r);
//   }
//   auto all = rows(db);
//   while (auto r = co_await all.next()) use(*r);
//
// It runs only inside `next`, in the task that awaits it. <tare/stream_adapters.hpp> has map, filter, take and others.
//
// **Bytes** The object is 4; the frame is as heavy as a task's. `next` holds std::optional<T> and 8 in the awaiting
// frame, and allocates nothing.

#include <tare/detail/misuse.hpp>
#include <tare/detail/promise.hpp>
#include <tare/lifetime_checks.hpp>

#include <coroutine>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace tare {

/// Move-only; not while a task waits in `next`. Destroying it destroys the coroutine where it is.
template <class T>
class [[nodiscard("a stream runs only while `next` is awaited")]] TARE_COROUTINE_TYPE stream {
  static_assert(std::is_object_v<T>, "stream<T&>: yield a pointer instead");

 public:
  class promise_type;
  class next_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] next_request {
    using tare_awaiter = next_awaiter;
    stream& of;
  };
  using value_type = T;

  stream(stream&& other) noexcept : frame_(std::exchange(other.frame_, detail::no_link)) {
    if (frame_ != detail::no_link && is_running()) detail::misuse("stream::stream: moved while a task waits in `next`");
  }
  stream& operator=(stream&& other) noexcept {
    stream moved(std::move(other));
    std::swap(frame_, moved.frame_);
    return *this;
  }
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  ~stream() {
    if (frame_ == detail::no_link) return;
    if (is_running()) detail::misuse("stream::~stream: destroyed while a task waits in `next`: let it end first");
    detail::destroy_unstarted(frame_);
  }

  /// Runs the coroutine up to its next value, and returns std::optional<T>: nullopt once it has ended, or if the stream
  /// has been moved from.
  ///
  /// **Errors** Throws what the coroutine throws; then the stream has ended. Aborts the program if another task waits.
  /// **Cancellation** Reaches the coroutine at its await, as if it were a task; it usually ends. What a source of it
  /// (a channel, a socket) still has stays there, but values that the coroutine itself holds are dropped. A value that
  /// was yielded before is delivered. **Threads** Any shard, one task at a time. **Bytes** std::optional<T> and 8.
  next_request next() noexcept { return {*this}; }

 private:
  explicit stream(detail::link frame) noexcept : frame_(frame) {}
  [[nodiscard]] bool is_running() const noexcept {
    return detail::from_link<detail::wait_state>(frame_)->parent != detail::no_link;
  }

  detail::link frame_;
};

template <class T>
class stream<T>::promise_type : public detail::promise_base {
  struct yielding {
    [[nodiscard]] static bool await_ready() noexcept { return false; }
    static std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
      detail::wait_state& state = self.promise();
      detail::wait_state& consumer = *detail::from_link<detail::wait_state>(state.parent);
      state.parent = detail::no_link;
      state.cancelled = 0;  // the consumer was cancelled and knows it; the next one may be another task
#if !defined(__clang__)
      // g++ 12 does not turn every symmetric transfer into a tail call.
      if (--detail::current_shard->budget < 0) {
        detail::current_shard->make_ready(consumer, detail::wait_kind::ready);
        return std::noop_coroutine();
      }
#endif
      consumer.set_kind(detail::wait_kind::none);
      return detail::handle_of(consumer);
    }
    static void await_resume() noexcept {}
  };

 public:
  stream get_return_object() noexcept { return stream(escaped()); }
  static void return_void() noexcept {}

  template <class U = T>
    requires std::is_constructible_v<T, U&&>
  yielding yield_value(U&& value) {
    static_cast<std::optional<T>*>(result_place())->emplace(std::forward<U>(value));
    return {};
  }
};

template <class T>
class stream<T>::next_awaiter {
 public:
  next_awaiter(next_request request, detail::wait_state& /*task*/) noexcept : of_(request.of) {}

  [[nodiscard]] bool await_ready() const noexcept {
    return of_.frame_ == detail::no_link && --detail::current_shard->budget >= 0;
  }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> consumer) noexcept {
    detail::wait_state& state = consumer.promise();
    if (of_.frame_ == detail::no_link) {
      detail::current_shard->make_ready(state, detail::wait_kind::ready);
      return std::noop_coroutine();
    }
    if (of_.is_running()) detail::misuse("stream::next: another task waits in the stream");
    state.set_kind(detail::wait_kind::child);
    state.prev = of_.frame_;
    state.next = static_cast<detail::link>(reinterpret_cast<std::byte*>(std::addressof(result_)) -
                                           reinterpret_cast<std::byte*>(&state));
    return detail::start_child(state);
  }
  std::optional<T> await_resume() {
    // Without a value, the coroutine has ended, and its frame is gone.
    if (!result_) of_.frame_ = detail::no_link;
    detail::current_shard->rethrow_in_flight();
    return std::move(result_);
  }

 private:
  stream& of_;
  std::optional<T> result_;
};

}  // namespace tare
