#pragma once

// The same task for each element of a range, a limited number of them at once.
//
//   std::vector<page> pages = co_await tare::map(urls, 32, [](const url& u) { return fetch(u); });
//
// Bytes: `limit` frames, each with the frame of one task, and the results. Elements that wait for their turn cost
// nothing.

#include <tare/cancellation.hpp>
#include <tare/error.hpp>
#include <tare/scope.hpp>
#include <tare/task.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace tare {

namespace detail {

/// The T of the task<T> that F returns for an element of Range.
template <class Range, class F>
using mapped_t = task_value_t<std::invoke_result_t<F&, std::ranges::range_reference_t<Range>>>;

/// Takes one element after the other until none is left.
template <class Iterator, class End, class F, class Slot>
task<> map_worker(Iterator& next, const End& end, F& function, std::vector<Slot>& results) {
  while (next != end) {
    co_await checkpoint();  // begins nothing after an error of another worker
    if (next == end) co_return;
    decltype(auto) element = *next;  // lives until the task has ended, which may refer to it
    auto body = std::invoke(function, std::forward<decltype(element)>(element));
    ++next;  // before the await, during which other workers continue
    if constexpr (std::same_as<Slot, char>) {
      co_await std::move(body);
    } else {
      results.emplace_back();
      const std::size_t index = results.size() - 1;  // a reference might not survive the await
      auto value = co_await std::move(body);
      results[index].emplace(std::move(value));
    }
  }
}

template <class Range, class F>
auto map_all(Range items, std::size_t limit, F function)
    -> task<std::conditional_t<std::is_void_v<mapped_t<Range, F>>, void, std::vector<mapped_t<Range, F>>>> {
  using value = mapped_t<Range, F>;
  using slot = std::conditional_t<std::is_void_v<value>, char,
                                  std::optional<std::conditional_t<std::is_void_v<value>, char, value>>>;
  std::vector<slot> results;
  auto next = std::ranges::begin(items);
  const auto end = std::ranges::end(items);
  {
    scope workers;
    try {
      auto ahead = next;
      for (std::size_t i = 0; i < limit && ahead != end; ++i, ++ahead) {
        workers.spawn(map_worker<decltype(next), decltype(end), F, slot>(next, end, function, results));
      }
    } catch (...) {
      workers.fail(std::current_exception());
    }
    try {
      co_await workers.join();
    } catch (const cancelled&) {
      // Not an error of the tasks: results that have all been delivered must not be lost.
      if constexpr (std::is_void_v<value>) throw;
      if (next != end || std::ranges::any_of(results, [](const slot& each) { return !each; })) throw;
    }
  }
  if constexpr (!std::is_void_v<value>) {
    std::vector<value> all;
    all.reserve(results.size());
    for (slot& each : results) all.push_back(std::move(*each));
    co_return all;
  }
}

}  // namespace detail

/// Calls `function` with each element of `items` and awaits the task that it returns, at most `limit` tasks at a time,
/// on the current shard. Returns a std::vector of the results in the order of the elements; void for task<void>. A
/// temporary range is kept until the end; a range of the caller must exist until then.
///
/// **Errors** The first error cancels the other tasks and is thrown when they have ended; no further element is begun.
/// Throws std::invalid_argument if `limit` is 0. **Cancellation** Cancels all tasks and waits for them; then throws
/// `cancelled`, unless every element has its result: then it is returned. **Threads** Use it on one shard. **Bytes** A
/// frame of about 250, `limit` frames of about 100, and the results.
template <class Range, class F>
  requires std::ranges::forward_range<std::remove_reference_t<Range>>
auto map(Range&& items, std::size_t limit, F function) {
  if (limit == 0) throw std::invalid_argument("tare::map: with a limit of 0 nothing would ever run");
  return detail::map_all<Range, F>(std::forward<Range>(items), limit, std::move(function));
}

}  // namespace tare
