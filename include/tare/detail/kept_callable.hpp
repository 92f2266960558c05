#pragma once

// A callable that lives as long as the task that it makes, so that a lambda may have captures.

#include <tare/task.hpp>

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

namespace tare::detail {

template <class F>
concept makes_task = std::invocable<F&> && is_task<std::invoke_result_t<F&>> && std::move_constructible<F>;

/// Calls `make` when it begins, and awaits the task.
template <makes_task F>
std::invoke_result_t<F&> keep_and_call(F make) {
  co_return co_await std::invoke(make);
}

}  // namespace tare::detail
