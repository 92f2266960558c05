#pragma once

// The result of a function that usually has its value at once, and otherwise a task that computes it.
//
//   tare::value_or_task<row> find(int id) {                // an ordinary function
//     if (const row* hit = cache.find(id)) return *hit;    // no frame, no allocation; awaiting it is a branch
//     return load(id);                                     // a tare::task<row>
//   }
//   row r = co_await find(7);
//
// **Bytes** The value, or 4, and a byte that says which; awaiting it takes the same again in the frame, where a task
// constructs its result.

#include <tare/detail/misuse.hpp>
#include <tare/detail/promise.hpp>
#include <tare/task.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace tare {

/// Move-only. Await it once. Destroying one whose task was never started frees the task's frame.
///
/// **Errors** Awaiting throws what the task throws; awaiting an empty one aborts the program. **Cancellation** That of
/// the task; a value is delivered even if the task that awaits is cancelled. **Threads** As for a task. **Bytes** No
/// frame and no allocation if it has a value.
template <class T = void>
// NOLINTNEXTLINE(bugprone-tagged-union-member-count): an enumerator says that there is neither
class [[nodiscard("a task in it does nothing until it is awaited")]] value_or_task {
  static_assert(!std::is_reference_v<T>, "value_or_task<T&>: return a pointer instead");

 public:
  class awaiter;
  using tare_awaiter = awaiter;
  using value_type = T;

  /// Has a value: `co_await` returns it without suspending.
  template <class U = T>
    requires(std::is_constructible_v<T, U &&> && !std::same_as<std::remove_cvref_t<U>, value_or_task> &&
             !std::same_as<std::remove_cvref_t<U>, task<T>>)
  // NOLINTNEXTLINE(google-explicit-constructor,bugprone-forwarding-reference-overload): it is the purpose
  explicit(!std::is_convertible_v<U&&, T>) value_or_task(U&& from) noexcept(std::is_nothrow_constructible_v<T, U&&>)
      : value(std::forward<U>(from)), holds_(holding::value) {}
  /// Has a task. An empty task aborts the program.
  // NOLINTNEXTLINE(google-explicit-constructor): it is the purpose
  value_or_task(task<T>&& computes) noexcept : child(computes.release("value_or_task")), holds_(holding::child) {}

  value_or_task(value_or_task&& other) noexcept(std::is_nothrow_move_constructible_v<T>) : child(0) { take(other); }
  value_or_task& operator=(value_or_task&& other) noexcept(std::is_nothrow_move_constructible_v<T>) {
    if (this != &other) {
      clear();
      take(other);
    }
    return *this;
  }
  value_or_task(const value_or_task&) = delete;
  value_or_task& operator=(const value_or_task&) = delete;
  ~value_or_task() { clear(); }

  /// Whether awaiting it does not suspend.
  [[nodiscard]] bool has_value() const noexcept { return holds_ == holding::value; }

 private:
  enum class holding : std::uint8_t { nothing, value, child };

  void take(value_or_task& other) {
    if (other.holds_ == holding::value) {
      ::new (std::addressof(value)) T(std::move(other.value));
      holds_ = holding::value;
    } else {
      child = other.child;
      holds_ = std::exchange(other.holds_, holding::nothing);
    }
  }
  void clear() noexcept {
    if (holds_ == holding::value) std::destroy_at(std::addressof(value));
    if (holds_ == holding::child) detail::destroy_unstarted(child);
    holds_ = holding::nothing;
  }

  union {
    detail::link child;
    T value;
  };
  holding holds_ = holding::nothing;
};

template <class T>
class value_or_task<T>::awaiter {
 public:
  awaiter(value_or_task&& other, detail::wait_state& /*task*/) noexcept(std::is_nothrow_move_constructible_v<T>)
      : of_(std::move(other)) {}

  [[nodiscard]] bool await_ready() const noexcept {
    return of_.holds_ == holding::value && --detail::current_shard->budget >= 0;
  }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> parent) noexcept {
    detail::wait_state& state = parent.promise();
    if (of_.holds_ != holding::child) {
      if (of_.holds_ == holding::nothing) detail::empty_task("co_await of a value_or_task");
      detail::current_shard->make_ready(state, detail::wait_kind::ready);  // other tasks get their turn
      return std::noop_coroutine();
    }
    of_.holds_ = holding::nothing;
    state.set_kind(detail::wait_kind::child);
    state.prev = of_.child;
    // As for a task, the callee finds the place of the result by its offset from the promise.
    state.next = static_cast<detail::link>(reinterpret_cast<std::byte*>(std::addressof(of_.value)) -
                                           reinterpret_cast<std::byte*>(&state));
    return detail::start_child(state);
  }
  T await_resume() {
    if (of_.holds_ == holding::value) return std::move(of_.value);
    detail::current_shard->rethrow_in_flight();
    of_.holds_ = holding::value;  // destroyed with it
    return std::move(of_.value);
  }

 private:
  value_or_task of_;  ///< in the awaiting frame, because the task finds the place of its result by an offset
};

/// Done, or a task.
template <>
class [[nodiscard("a task in it does nothing until it is awaited")]] value_or_task<void> {
 public:
  class awaiter;
  using tare_awaiter = awaiter;
  using value_type = void;

  /// Done.
  value_or_task() noexcept = default;
  // NOLINTNEXTLINE(google-explicit-constructor): it is the purpose
  value_or_task(task<>&& computes) noexcept : child_(computes.release("value_or_task")) {}
  value_or_task(value_or_task&& other) noexcept : child_(std::exchange(other.child_, detail::no_link)) {}
  value_or_task& operator=(value_or_task&& other) noexcept {
    value_or_task moved(std::move(other));
    std::swap(child_, moved.child_);
    return *this;
  }
  value_or_task(const value_or_task&) = delete;
  value_or_task& operator=(const value_or_task&) = delete;
  ~value_or_task() {
    if (child_ != detail::no_link) detail::destroy_unstarted(child_);
  }

  [[nodiscard]] bool has_value() const noexcept { return child_ == detail::no_link; }

 private:
  detail::link child_ = detail::no_link;
};

class value_or_task<void>::awaiter {
 public:
  awaiter(value_or_task&& other, detail::wait_state& /*task*/) noexcept
      : child_(std::exchange(other.child_, detail::no_link)) {}

  [[nodiscard]] bool await_ready() const noexcept {
    return child_ == detail::no_link && --detail::current_shard->budget >= 0;
  }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> parent) const noexcept {
    detail::wait_state& state = parent.promise();
    if (child_ == detail::no_link) {
      detail::current_shard->make_ready(state, detail::wait_kind::ready);
      return std::noop_coroutine();
    }
    state.set_kind(detail::wait_kind::child);
    state.prev = child_;
    return detail::start_child(state);
  }
  static void await_resume() { detail::current_shard->rethrow_in_flight(); }

 private:
  detail::link child_;
};

}  // namespace tare
