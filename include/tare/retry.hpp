#pragma once

// Repeats an operation that may fail for a while, with growing pauses.
//
//   auto row = co_await tare::retry({.max_attempts = 5}, [&] { return fetch(id); });  // std::expected<row, error>
//   auto sent = co_await tare::retry({.max_time = 1min}, [&] { return push(message); },
//                                    [](const error& e) { return e.kind() == error_kind::unavailable; });
//
// Pauses grow exponentially and are shortened at random, so that many clients of a server that has failed do not come
// back at the same moment. Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ ("full
// jitter").
//
// **Bytes** A frame of 160, the operation, and a result. The result of a failed attempt is destroyed before the pause.
//
// **Threads** Any shard; `attempt` and `is_temporary` are called in the task that awaits.

#include <tare/sleep.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <expected>
#include <functional>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

namespace tare {

struct retry_policy {
  std::size_t max_attempts = std::numeric_limits<std::size_t>::max();  ///< at least 1
  std::chrono::nanoseconds first_delay = std::chrono::milliseconds(100);
  std::chrono::nanoseconds max_delay = std::chrono::seconds(10);
  double factor = 2;  ///< of each delay to the one before; at least 1
  double jitter = 1;  ///< the part of a delay that is random: it lasts between (1 - jitter) and 1 of its length
  /// From the beginning of the first attempt. No attempt begins later; one that has begun is not ended by it.
  std::chrono::nanoseconds max_time = std::chrono::nanoseconds::max();
};

namespace detail {

/// The pauses of one `retry`.
class backoff {
 public:
  /// Throws std::invalid_argument if the policy contradicts itself.
  explicit backoff(const retry_policy& policy);

  void begin() noexcept { began_ = now(); }
  /// The pause before the next attempt; empty if there is none.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> next() noexcept;

 private:
  retry_policy policy_;
  std::size_t attempts_ = 1;
  std::chrono::steady_clock::time_point began_{};
};

template <class>
inline constexpr bool is_task_of_expected = false;
template <class T, class E>
inline constexpr bool is_task_of_expected<task<std::expected<T, E>>> = true;

template <class F, class IsTemporary>
auto repeat(backoff pauses, F attempt, IsTemporary is_temporary) -> std::invoke_result_t<F&> {
  pauses.begin();
  for (;;) {
    std::optional<std::chrono::nanoseconds> pause;
    {
      auto result = co_await std::invoke(attempt);
      if (!result && std::invoke(is_temporary, std::as_const(result).error())) pause = pauses.next();
      if (!pause) co_return std::move(result);
    }
    co_await sleep_for(*pause);
  }
}

}  // namespace detail

/// Calls `attempt` and awaits the task that it returns until that gives a value, `is_temporary` returns false for its
/// error, or the policy allows no other attempt. Returns the last result. The task keeps `attempt` and `is_temporary`,
/// so lambdas may have captures.
/// **Errors** The last attempt's. Exceptions are not repeated: the first one ends it. std::invalid_argument at once if
/// a delay is negative, `factor` is below 1, `jitter` is not from 0 to 1, or `max_attempts` is 0.
/// **Cancellation** Ends the current attempt or pause; no other attempt begins.
template <class F, class IsTemporary>
  requires detail::is_task_of_expected<std::invoke_result_t<F&>>
auto retry(const retry_policy& policy, F attempt, IsTemporary is_temporary) -> std::invoke_result_t<F&> {
  return detail::repeat(detail::backoff(policy), std::move(attempt), std::move(is_temporary));
}

/// The same, and every error is temporary.
template <class F>
  requires detail::is_task_of_expected<std::invoke_result_t<F&>>
auto retry(const retry_policy& policy, F attempt) -> std::invoke_result_t<F&> {
  return retry(policy, std::move(attempt), [](const auto& /*error*/) { return true; });
}

}  // namespace tare
