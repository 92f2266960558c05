#pragma once

// Runs a load task on the calling thread, until it ends or the user wants to stop.

#include "base/error.hpp"
#include "measure/process/listen.hpp"

#include <tare/net/readiness.hpp>
#include <tare/runtime.hpp>
#include <tare/task.hpp>
#include <tare/when.hpp>

#include <utility>

namespace tare::load {

/// fault::interrupted if `stop` became readable first; the task was then cancelled. -1: nothing stops it.
template <class T>
[[nodiscard]] base::result<T> run_until_stopped(task<T> body, measure::stop_signal stop) {
  runtime here;
  if (stop < 0) return here.run(std::move(body));
  const auto stopped = [](int descriptor) -> task<> { (void)co_await net::wait_readable(descriptor); };
  const auto either = [&](task<T> wanted) -> task<base::result<T>> {
    auto first = co_await when_any(std::move(wanted), stopped(stop));
    if (first.index() == 0) co_return std::move(std::get<0>(first));
    co_return base::interrupted_error();
  };
  return here.run(either(std::move(body)));
}

}  // namespace tare::load
