#pragma once

// Values that a task passes to everything it awaits, without parameters: a request's identifier, a trace, a tenant.
//
//   inline constinit tare::task_local<std::string> request_id;
//
//   tare::task<> serve(request r) { co_await request_id.with(r.id, handle(r)); }
//
//   tare::task<> deep_inside() {
//     if (const std::string* id = co_await request_id.get()) log("{}: ...", *id);
//   }
//
// Awaited tasks, the members of when_all, timeout and the like, and the tasks of a scope see the values of the task
// that awaits or joins, also after they have moved to another shard. What is spawned without a scope, or runs in
// offload, can outlive that task, so it sees none, unless you pass them on:
//
//   const tare::task_values values = co_await tare::current_values();
//   tare::spawn(values.keep(audit()));
//
// **Bytes** None in a task that has no values. `with` takes about 130 in the awaiting frame, and an allocation of 32
// and the value. A task that moves to another shard, or is spawned there, shares them by a counter. Time: `get` walks
// up the tasks that await the current one, like `remaining`.

#include <tare/detail/task_values.hpp>
#include <tare/task.hpp>

#include <type_traits>
#include <utility>

namespace tare {

/// The key of a value of type T: an object with static storage duration. **Threads** Any.
template <class T>
class task_local {
  static_assert(std::is_same_v<T, std::decay_t<T>>, "a value that can be stored");

 public:
  constexpr task_local() noexcept = default;
  task_local(const task_local&) = delete;
  task_local& operator=(const task_local&) = delete;
  ~task_local() = default;

  /// Awaits `body`, in which the value is seen, and returns its result. Inside, `with` can be used again: the inner
  /// value hides the outer one until its body has ended.
  ///
  /// **Errors** Throws std::bad_alloc, and what `body` throws. **Cancellation** As awaiting `body`. **Threads** Any
  /// shard. **Bytes** See above.
  template <class R>
  auto with(T value, task<R> body) const {
    return detail::with_values_request<R>{
        .values = detail::make_value(this, std::move(value)), .extends = true, .body = std::move(body)};
  }

  /// The value that the current task sees; nullptr if there is none. Await it: the result is a const T*, valid until
  /// the `with` that has set it ends.
  ///
  /// **Errors** None. **Cancellation** Not a cancellation point. **Threads** Any shard. **Bytes** 8 in the frame if the
  /// result is used after an await; time in proportion to the depth.
  constexpr detail::value_query<T> get() const noexcept { return {.key = this}; }
};

/// Values that are kept beyond the task that has set them. Copies share them. **Threads** Any.
class task_values {
 public:
  task_values() noexcept = default;
  explicit task_values(detail::value_ref values) noexcept : values_(std::move(values)) {}

  /// nullptr if there is none. Valid as long as this object, or a copy, exists.
  template <class T>
  [[nodiscard]] const T* find(const task_local<T>& key) const noexcept {
    return static_cast<const T*>(detail::find_value(values_.get(), &key));
  }

  /// A task that runs `body` so that it sees these values instead of those around it.
  ///
  /// **Errors** Throws std::bad_alloc. **Bytes** A frame of about 180.
  template <class R>
  task<R> keep(task<R> body) const {
    return detail::keep_values(values_, std::move(body));
  }

 private:
  detail::value_ref values_;
};

/// The values that the current task sees. Await it: the result is a task_values.
///
/// **Errors** None. **Cancellation** Not a cancellation point. **Threads** Any shard. **Bytes** None.
constexpr detail::values_query current_values() noexcept { return {}; }

}  // namespace tare
