#pragma once

// A task is a coroutine that starts when it is awaited or spawned, and delivers its result to the coroutine that awaits
// it.
//
//   tare::task<int> twice(int n) { co_return 2 * n; }
//   tare::task<> print() { fmt::print("{}\n", co_await twice(21)); }
//
// **Errors** An await throws what the body throws. Calling a coroutine throws std::bad_alloc if memory is exhausted or
// the runtime's frame limit is reached. Awaiting an empty task aborts the program. **Cancellation** Reaches the await
// where the task waits, which throws `cancelled`. **Threads** It runs on the shard where it is awaited or spawned.
// **Bytes** The object is 4. The frame of a coroutine is 32 plus whatever it keeps across an await, rounded up to 8
// (clang; docs/bytes.md). The frame exists from the call to the end of the body. The result of an awaited task is
// constructed in the awaiting frame, so a frame has no room for its own result.

#include <tare/detail/promise.hpp>
#include <tare/lifetime_checks.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace tare {

/// Move-only. Destroying a task that was never started frees its frame. Calling a coroutine allocates its frame and
/// throws std::bad_alloc if memory is exhausted or the runtime's frame limit is reached; awaiting allocates nothing.
template <class T>
class [[nodiscard("a task does nothing until it is awaited or spawned")]] TARE_COROUTINE_TYPE task {
 public:
  class promise_type;
  using value_type = T;

  task(task&& other) noexcept : frame_(std::exchange(other.frame_, detail::no_link)) {}
  task& operator=(task&& other) noexcept {
    task moved(std::move(other));
    std::swap(frame_, moved.frame_);
    return *this;
  }
  task(const task&) = delete;
  task& operator=(const task&) = delete;
  ~task() {
    if (frame_ != detail::no_link) detail::destroy_unstarted(frame_);
  }

  /// False once the task has been moved from, awaited or spawned.
  [[nodiscard]] explicit operator bool() const noexcept { return frame_ != detail::no_link; }

  /// For the library: releases the frame and returns the link to its wait state. An empty task aborts the program with
  /// a message that names `call`.
  [[nodiscard]] detail::link release(const char* call = "co_await") noexcept {
    if (frame_ == detail::no_link) [[unlikely]]
      detail::empty_task(call);
    return std::exchange(frame_, detail::no_link);
  }

 private:
  explicit task(detail::link frame) noexcept : frame_(frame) {}

  detail::link frame_;
};

namespace detail {

template <class U, class T>
concept refers_into = requires(U&& value) { value.operator T(); };

/// False if `co_return` of a U would return a reference to a temporary from a task<T>.
template <class U, class T>
inline constexpr bool outlives_return =
    !std::is_reference_v<T> || refers_into<U, T> ||
    (std::is_convertible_v<std::remove_reference_t<U>*, std::remove_reference_t<T>*> &&
     (std::is_rvalue_reference_v<T> || std::is_lvalue_reference_v<U>));

}  // namespace detail

template <class T>
class task<T>::promise_type : public detail::promise_base {
  static_assert(std::is_reference_v<T> || std::is_move_constructible_v<T>,
                "tare: the result of a task must be movable, because await moves it out of the awaiting frame: return "
                "it as a std::unique_ptr");

 public:
  task get_return_object() noexcept { return task(escaped()); }

  template <class U = T>
    requires std::is_convertible_v<U&&, T>
  void return_value(U&& value) {
    static_assert(detail::outlives_return<U, T>, "co_return would return a reference to a temporary");
    void* place = result_place();
    if (place == nullptr) return;
    if constexpr (std::is_reference_v<T>) {
      T result = static_cast<U&&>(value);
      ::new (place) std::add_pointer_t<T>(std::addressof(result));
    } else {
      ::new (place) T(static_cast<T>(std::forward<U>(value)));
      set_kind(detail::wait_kind::delivered);
    }
  }

  // NOLINTNEXTLINE(bugprone-derived-method-shadowing-base-method): the compiler calls it, and it calls the base's
  void unhandled_exception() noexcept {
    if constexpr (!std::is_reference_v<T> && !std::is_trivially_destructible_v<T>) {
      // The destructor of a local has thrown, so the result will never be taken.
      if (kind() == detail::wait_kind::delivered) std::destroy_at(static_cast<T*>(result_place()));
    }
    promise_base::unhandled_exception();
  }
};

template <>
class task<void>::promise_type : public detail::promise_base {
 public:
  task get_return_object() noexcept { return task(escaped()); }
  static void return_void() noexcept {}
};

namespace detail {

template <class>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<task<T>> = true;

template <class>
struct task_value;
template <class T>
struct task_value<task<T>> {
  using type = T;
};
/// The T of a task<T>.
template <class A>
using task_value_t = task_value<A>::type;

inline void_child_awaiter& promise_base::await_transform(task<void>&& child) noexcept {
  current_shard->check_await();
  prev = child.release();
  set_kind(wait_kind::child);
  return *this;
}

template <class T>
child_awaiter<T> promise_base::await_transform(task<T>&& child) noexcept {
  current_shard->check_await();
  set_kind(wait_kind::child);
  return child_awaiter<T>(child.release());
}

}  // namespace detail
}  // namespace tare
