#pragma once

// Streams made from other streams, and from channels, broadcasts and intervals.
//
//   auto lines = tare::filter(tare::to_stream(log), [](const line& l) { return l.severity > 3; });
//   auto blocks = tare::chunks(tare::take(std::move(lines), 1000), 50);
//   while (auto block = co_await blocks.next()) co_await store(*block);
//
// Each adapter owns its source and pulls a value only when `next` is awaited. Functions may be coroutines: what they
// return is awaited.
//
// **Errors** Those of the source, and what a function throws, leave `next` and end the stream. std::bad_alloc if there
// is no memory for the frame. **Cancellation** Reaches the await in which the source waits, and ends the stream; a
// value that an adapter has taken but not delivered is dropped with it. **Threads** Any shard: it runs in the task that
// awaits `next`, except for the sources of `merge`. **Bytes** An adapter is a coroutine, so it weighs a frame.

#include <tare/broadcast.hpp>
#include <tare/channel.hpp>
#include <tare/channel_halves.hpp>
#include <tare/detail/misuse.hpp>
#include <tare/event.hpp>
#include <tare/interval.hpp>
#include <tare/runtime.hpp>
#include <tare/sleep.hpp>
#include <tare/stream.hpp>
#include <tare/task.hpp>
#include <tare/when.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace tare {

namespace detail {

template <class F, class... Args>
inline constexpr bool returns_task = is_task<std::invoke_result_t<F&, Args...>>;

/// What calling F gives, after the task has been awaited if it returns one.
template <class F, class... Args>
struct called {
  using type = std::remove_cvref_t<std::invoke_result_t<F&, Args...>>;
};
template <class F, class... Args>
  requires returns_task<F, Args...>
struct called<F, Args...> {
  using type = std::remove_cvref_t<task_value_t<std::invoke_result_t<F&, Args...>>>;
};

/// Stops the sources of a merged stream, whichever way it ends.
class merge_owner {
 public:
  merge_owner() : stop_(std::make_shared<event>()) {}
  merge_owner(const merge_owner&) = delete;
  merge_owner& operator=(const merge_owner&) = delete;
  ~merge_owner() { stop_->set(); }
  [[nodiscard]] const std::shared_ptr<event>& stop() const noexcept { return stop_; }

 private:
  std::shared_ptr<event> stop_;
};

template <class T>
using merged_value = std::expected<T, std::exception_ptr>;

template <class T>
task<> pump(stream<T> from, channel_sender<merged_value<T>> to) {
  std::exception_ptr error;
  try {
    while (auto next = co_await from.next()) {
      const auto sent = co_await to.send(std::move(*next));
      if (!sent) co_return;
    }
    co_return;
  } catch (const cancelled&) {
    throw;
  } catch (...) {
    error = std::current_exception();
  }
  (void)co_await to.send(std::unexpected(std::move(error)));
}

inline task<> wait_for_stop(std::shared_ptr<event> stop) { co_await stop->wait(); }

template <class T>
task<> pump_until_stopped(stream<T> from, channel_sender<merged_value<T>> to, std::shared_ptr<event> stop) {
  auto pumping = pump(std::move(from), std::move(to));
  auto stopped = wait_for_stop(std::move(stop));
  (void)co_await when_any(std::move(pumping), std::move(stopped));
}

}  // namespace detail

/// Each value, changed by `f(T)`.
template <class T, class F>
  requires std::invocable<F&, T>
stream<typename detail::called<F, T>::type> map(stream<T> from, F f) {
  while (auto next = co_await from.next()) {
    if constexpr (detail::returns_task<F, T>) {
      auto changed = co_await f(std::move(*next));
      co_yield std::move(changed);
    } else {
      co_yield f(std::move(*next));
    }
  }
}

/// The values for which `keep(const T&)` is true.
template <class T, class F>
  requires std::invocable<F&, const T&>
stream<T> filter(stream<T> from, F keep) {
  while (auto next = co_await from.next()) {
    bool kept = false;
    if constexpr (detail::returns_task<F, const T&>) {
      kept = co_await keep(std::as_const(*next));
    } else {
      kept = keep(std::as_const(*next));
    }
    if (kept) co_yield std::move(*next);
  }
}

/// The first `count` values. The source is destroyed as soon as it has delivered them.
template <class T>
stream<T> take(stream<T> from, std::size_t count) {
  for (std::size_t left = count; left > 1; --left) {
    auto next = co_await from.next();
    if (!next) co_return;
    co_yield std::move(*next);
  }
  if (count == 0) co_return;
  std::optional<T> last;
  {
    stream<T> source(std::move(from));
    last = co_await source.next();
  }
  if (last) co_yield std::move(*last);
}

/// Vectors of `size` values; the last may be shorter. **Errors** Aborts the program if `size` is 0. If the source
/// throws, or is cancelled, the values of the vector in progress are dropped.
template <class T>
stream<std::vector<T>> chunks(stream<T> from, std::size_t size) {
  if (size == 0) detail::misuse("tare::chunks: the size must be at least 1");
  std::vector<T> chunk;
  while (auto next = co_await from.next()) {
    chunk.push_back(std::move(*next));
    if (chunk.size() < size) continue;
    co_yield std::move(chunk);
    chunk = std::vector<T>();
  }
  if (!chunk.empty()) co_yield std::move(chunk);
}

/// All values, but at least `period` apart. The source is not asked while its last value waits.
template <class T>
stream<T> throttle(stream<T> from, std::chrono::steady_clock::duration period) {
  auto due = now();
  while (auto next = co_await from.next()) {
    co_await sleep_until(due);
    due = now() + period;
    co_yield std::move(*next);
  }
}

/// The values of all sources, in the order in which they come. Ends when all have ended; the first error ends it too.
///
/// Each source runs in a task of its own on the shard of the first `next`, at most one value ahead, and is cancelled
/// when this stream ends or is destroyed.
template <class T>
stream<T> merge(std::vector<stream<T>> sources) {
  const detail::merge_owner owner;
  auto [sender, receiver] = make_channel<detail::merged_value<T>>(0);
  for (stream<T>& each : sources) spawn(detail::pump_until_stopped(std::move(each), sender, owner.stop()));
  sources.clear();
  sender = {};
  while (auto next = co_await receiver.receive()) {
    if (!next->has_value()) std::rethrow_exception(next->error());
    co_yield std::move(**next);
  }
}
template <class T, std::same_as<stream<T>>... More>
stream<T> merge(stream<T> first, More... more) {
  std::vector<stream<T>> sources;
  sources.reserve(1 + sizeof...(more));
  sources.push_back(std::move(first));
  (sources.push_back(std::move(more)), ...);
  return merge(std::move(sources));
}

/// What is received from the channel, until it is closed and empty. The channel must outlive the stream.
template <class T>
stream<T> to_stream(channel<T>& from) {
  while (auto next = co_await from.receive()) co_yield std::move(*next);
}
template <class T>
stream<T> to_stream(channel_receiver<T> from) {
  while (auto next = co_await from.receive()) co_yield std::move(*next);
}

/// What the receiver gets, until the broadcast is closed. The broadcast must outlive the stream.
template <class Receiver, class T = typename Receiver::value_type>
  requires std::same_as<Receiver, typename broadcast<T>::receiver>
stream<broadcast_value<T>> to_stream(Receiver from) {
  while (auto next = co_await from.receive()) co_yield std::move(*next);
}

/// The times at which the ticks were due, without end.
inline stream<interval::clock::time_point> to_stream(interval every) {
  for (;;) {
    const auto due = every.next();
    co_await every.tick();
    co_yield due;
  }
}

}  // namespace tare
