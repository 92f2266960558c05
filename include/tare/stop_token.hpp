#pragma once

// std::stop_token and cancellation, in both directions.
//
//   auto r = co_await tare::with_stop_token(thread.get_stop_token(), work());    // std::expected<T, stopped>
//   co_await tare::with_stop_token([&](std::stop_token stop) { return call_library(stop); });
//
// The first cancels a task when a stop is requested; the second requests a stop when the task is cancelled. Bytes: a
// frame with what std::stop_callback or std::stop_source need, and nothing in other tasks.

#include <tare/cancellation.hpp>
#include <tare/error.hpp>
#include <tare/scope.hpp>
#include <tare/task.hpp>

#include <concepts>
#include <expected>
#include <functional>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace tare {

/// Returned by `with_stop_token` when a stop was requested before the task had a result.
struct stopped {
  friend bool operator==(stopped, stopped) = default;
};

namespace detail {

template <class T>
task<> keep_result(task<T> body, std::optional<std::expected<T, stopped>>& kept) {
  if constexpr (std::is_void_v<T>) {
    co_await std::move(body);
    kept.emplace();
  } else {
    kept.emplace(co_await std::move(body));
  }
}

}  // namespace detail

/// Awaits `body`, and cancels it when a stop is requested on `token`.
///
/// **Errors** Returns std::expected<T, stopped>: `stopped` if a stop was requested and the task has ended by its
/// cancellation. A result that the task delivers nevertheless is returned, and another error is thrown; so is a
/// `cancelled` without a request. **Cancellation** Cancels the task and waits for it; then returns its result, or
/// throws its error or `cancelled`. **Threads** A stop may be requested on any thread; the call does not wait for the
/// task. **Bytes** A frame of about 400 and the result.
template <class T>
task<std::expected<T, stopped>> with_stop_token(std::stop_token token, task<T> body) {
  std::optional<std::expected<T, stopped>> kept;
  scope s;
  s.spawn(detail::keep_result<T>(std::move(body), kept));
  // Destroyed first, and only when no call is in progress.
  const std::stop_callback on_stop(token, [&s] { s.cancel(); });
  try {
    co_await s.join();
  } catch (const cancelled&) {
    if (!kept) throw;  // a result that the task has delivered must not be lost
  }
  if (kept) co_return std::move(*kept);
  if (!token.stop_requested()) throw cancelled();  // of its own accord
  co_return std::unexpected(stopped());
}

/// Awaits `body(stop)`, where `stop` is a std::stop_token on which a stop is requested when the current task is
/// cancelled. Returns the task's result. The token may be kept longer than the task.
///
/// **Errors** Those of `body`; std::bad_alloc. **Cancellation** Requests the stop, which runs the stop callbacks on the
/// task's shard, and then cancels the task. **Threads** The token may be used on any thread. **Bytes** A frame of about
/// 200, the result, and an allocation by std::stop_source.
template <std::invocable<std::stop_token> Body>
auto with_stop_token(Body body) -> std::invoke_result_t<Body, std::stop_token> {
  using result = detail::task_value_t<std::invoke_result_t<Body, std::stop_token>>;
  std::stop_source source;
  if constexpr (std::is_void_v<result>) {
    co_await on_cancel(std::invoke(body, source.get_token()), [&source]() noexcept { source.request_stop(); });
  } else {
    co_return co_await on_cancel(std::invoke(body, source.get_token()),
                                 [&source]() noexcept { source.request_stop(); });
  }
}

}  // namespace tare
