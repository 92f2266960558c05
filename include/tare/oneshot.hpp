#pragma once

// One value, sent once, from any thread: the bridge from callbacks and threads to tasks.
//
//   tare::oneshot<reply> answered;
//   client.call(request, [&](reply r) { answered.send(std::move(r)); });
//   auto r = co_await answered.receive();           // std::expected<reply, closed>
//
// Bytes: room for the value, and 24; a waiting receive holds 56 in its frame.

#include <tare/detail/queued_wait.hpp>
#include <tare/error.hpp>

#include <concepts>
#include <coroutine>
#include <cstdint>
#include <expected>
#include <mutex>
#include <optional>
#include <utility>

namespace tare {

/// One sender, one receiver. Must outlive the receiver's wait; `send` and `close` do not touch it after the receiver
/// could have gone on.
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
    if (from_.finished_) return false;
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
