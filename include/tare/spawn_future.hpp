#pragma once

// Tasks for code that is not a task: threads, other event loops, coroutines of other libraries.
//
//   std::future<int> f = tare::spawn_future(rt, 1, query(7));            // any thread
//   foreign::task<int> g() { co_return co_await tare::on(rt, 1, query(7)); }
//   tare::spawn_then(rt, 1, query(7), [](auto result) noexcept { ... }); // std::expected<int, std::exception_ptr>
//
// **Bytes** Each costs one more frame beside the task's; the future also its shared state.

#include <tare/error.hpp>
#include <tare/runtime.hpp>
#include <tare/shard_id.hpp>
#include <tare/task.hpp>

#include <concepts>
#include <coroutine>
#include <exception>
#include <expected>
#include <future>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace tare {

/// How a task has ended: its result, or its exception.
template <class T>
using task_outcome = std::expected<T, std::exception_ptr>;

namespace detail {

/// A callback in the frame of the task that calls it. The frame may also be destroyed before the task has begun, when
/// the runtime ends; then the destructor calls it. Not before it is armed: the caller gets an exception instead.
template <class T, class F>
class last_call {
 public:
  last_call(F&& function, last_call** place) : function_(std::move(function)), place_(place) {}
  last_call(last_call&& other) noexcept(std::is_nothrow_move_constructible_v<F>)
      : function_(std::move(other.function_)), place_(other.place_) {
    if (place_ != nullptr) *place_ = this;
  }
  last_call& operator=(last_call&&) = delete;
  last_call(const last_call&) = delete;
  last_call& operator=(const last_call&) = delete;
  ~last_call() {
    if (armed_) call(task_outcome<T>(std::unexpect, std::make_exception_ptr(cancelled())));
  }

  void arm() noexcept {
    place_ = nullptr;
    armed_ = true;
  }
  void call(task_outcome<T>&& outcome) noexcept {
    armed_ = false;
    std::move(function_)(std::move(outcome));
  }

 private:
  F function_;
  last_call** place_;
  bool armed_ = false;
};

template <class T, class F>
task<> call_at_end(task<T> body, last_call<T, F> last) {
  std::optional<task_outcome<T>> outcome;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(body);
      outcome.emplace();
    } else {
      outcome.emplace(co_await std::move(body));
    }
  } catch (...) {
    outcome.emplace(std::unexpect, std::current_exception());
  }
  last.call(std::move(*outcome));  // NOLINT(bugprone-unchecked-optional-access): set on both paths
}

template <class T>
class on_awaiter;

}  // namespace detail

/// Starts `body` on a shard of `rt`, and calls `function` with its std::expected<T, std::exception_ptr> when it has
/// ended. If the runtime ends first, the task is cancelled, and `function` gets a `cancelled`.
///
/// **Errors** Throws std::out_of_range if the shard does not exist, and std::bad_alloc; `function` is then not called.
/// `function` must not throw. **Cancellation** The end of the runtime cancels the task; nothing else does. **Threads**
/// Call it on any thread. `function` runs on the shard's thread and must not block, nor destroy the runtime. **Bytes**
/// A frame with `function`.
template <class T, class F>
  requires std::invocable<F, task_outcome<T>>
void spawn_then(runtime& rt, shard_id shard, task<T> body, F function) {
  static_assert(!std::is_reference_v<T>, "the result outlives the task: return a pointer or a value");
  if (!body) detail::empty_task("spawn_then");
  if (shard >= rt.shards()) throw std::out_of_range("tare::spawn_then: the runtime has no such shard");
  detail::last_call<T, F>* place = nullptr;
  task<> spawned = detail::call_at_end<T, F>(std::move(body), detail::last_call<T, F>(std::move(function), &place));
  place->arm();
  rt.spawn_on(shard, std::move(spawned));
}

/// Starts `body` on a shard of `rt` and returns a future of its result. Destroying the future does not wait for the
/// task.
///
/// **Errors** The future throws what the task throws. Throws std::out_of_range and std::bad_alloc itself.
/// **Cancellation** If the runtime ends first, the future throws `cancelled`. **Threads** Any. Do not wait for the
/// future in a task: it blocks the shard. Tasks of shard 0 make progress only during `runtime::run`, unless the runtime
/// has the option `background`. **Bytes** A frame and the shared state of the future.
template <class T>
[[nodiscard("the future delivers the result and the error")]] std::future<T> spawn_future(runtime& rt, shard_id shard,
                                                                                          task<T> body) {
  std::promise<T> promise;
  std::future<T> future = promise.get_future();
  spawn_then(rt, shard, std::move(body), [kept = std::move(promise)](task_outcome<T>&& outcome) mutable noexcept {
    if (!outcome) {
      kept.set_exception(std::move(outcome.error()));
    } else if constexpr (std::is_void_v<T>) {
      kept.set_value();
    } else {
      try {
        kept.set_value(std::move(*outcome));
      } catch (...) {  // a move has thrown
        kept.set_exception(std::current_exception());
      }
    }
  });
  return future;
}

/// An awaitable for coroutines of other libraries: runs `body` on a shard of `rt`, and resumes the awaiting coroutine
/// with its result.
///
/// **Errors** Throws what the task throws; std::out_of_range; std::bad_alloc. **Cancellation** If the runtime ends
/// first, it throws `cancelled`. **Threads** Await it on any thread. The coroutine resumes on the shard's thread: it
/// must not block there, nor destroy the runtime; return to its own executor first. The awaiting coroutine must not be
/// destroyed before. **Bytes** A frame, and the result in the awaiting coroutine.
template <class T>
[[nodiscard("the task starts when this is awaited")]] detail::on_awaiter<T> on(runtime& rt, shard_id shard,
                                                                               task<T> body) noexcept {
  return {rt, shard, std::move(body)};
}

namespace detail {

template <class T>
class on_awaiter {
 public:
  on_awaiter(runtime& rt, shard_id shard, task<T> body) noexcept
      : runtime_(rt), shard_(shard), body_(std::move(body)) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    // May have resumed the coroutine, and destroyed this, when it returns.
    spawn_then(runtime_, shard_, std::move(body_), [this, waiting](task_outcome<T>&& outcome) noexcept {
      try {
        outcome_.emplace(std::move(outcome));
      } catch (...) {  // a move has thrown
        outcome_.emplace(std::unexpect, std::current_exception());
      }
      waiting.resume();
    });
  }
  T await_resume() {
    task_outcome<T>& outcome = *outcome_;  // NOLINT(bugprone-unchecked-optional-access): resumed when it was set
    if (!outcome) std::rethrow_exception(outcome.error());
    if constexpr (!std::is_void_v<T>) return std::move(*outcome);
  }

 private:
  runtime& runtime_;
  shard_id shard_;
  task<T> body_;
  std::optional<task_outcome<T>> outcome_;
};

}  // namespace detail
}  // namespace tare
