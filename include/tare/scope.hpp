#pragma once

// Structured concurrency: a scope owns the tasks spawned in it, and ends only after all of them have ended.
//
//   co_await tare::with_scope([&](tare::scope& s) -> tare::task<> {
//     for (auto& peer : peers) s.spawn(ping(peer));
//     co_return;
//   });                                  // here all tasks have ended
//
// **Bytes** 4.3 per task in addition to its frame; the scope itself is 112. A scope belongs to the shard that made it,
// and its tasks run there; `spawn_on` starts tasks on other shards.

#include <tare/detail/kept_callable.hpp>
#include <tare/detail/scope_core.hpp>
#include <tare/error.hpp>
#include <tare/shard_id.hpp>
#include <tare/task.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace tare {

enum class on_error : std::uint8_t {
  cancel_siblings,  ///< the first error cancels the other tasks; the join rethrows it
  collect,          ///< all tasks run to completion; the join throws their errors as one error_group
};

class scope;
template <class T>
class handle;

namespace detail {

/// The T of the task<T> that the body of with_scope returns.
template <class Body>
using body_value_t = task_value_t<std::invoke_result_t<Body&, scope&>>;

}  // namespace detail

template <std::invocable<scope&> Body>
task<detail::body_value_t<Body>> with_scope(Body body, on_error policy = on_error::cancel_siblings);

/// Make it a local variable of a coroutine, or a member of one. Tasks may spawn into the scope they run in.
///
/// **Threads** Use it on the shard that made it, except for `cancel` and `shard`. On another shard, `spawn`, `spawn_on`
/// and `join` throw std::logic_error, and `fail` and `size` abort the program with a message.
class scope {
 public:
  class join_awaiter;
  class join_request;

  explicit scope(on_error policy = on_error::cancel_siblings) noexcept : core_(policy == on_error::collect) {}

  /// No task may remain, because C++ cannot wait in a destructor. Join on every path, or use `with_scope`, which also
  /// joins when an exception is thrown. If tasks remain, the program aborts with a message.
  ~scope() = default;
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;

  /// Queues the task on this shard. Its result is dropped; its error goes to the scope. Throws std::bad_alloc, and
  /// destroys the task, if the scope has no memory to record it.
  template <class T>
  void spawn(task<T> spawned) {
    enter(spawned.release("scope::spawn"), [this](detail::wait_state& state) { core_.adopt(state); });
  }

  /// The same for a callable without parameters that returns a task, such as a lambda with captures: it is called when
  /// the task begins, and kept until the task has ended.
  ///
  /// **Bytes** A frame with the callable, and that of the task.
  template <detail::makes_task F>
  void spawn(F make) {
    spawn(detail::keep_and_call(std::move(make)));
  }

  /// Like `spawn`, on another shard of the runtime; costs an additional record of 128 bytes. Throws std::out_of_range
  /// if the shard does not exist.
  template <class T>
  void spawn_on(shard_id shard, task<T> spawned) {
    enter(spawned.release("scope::spawn_on"),
          [this, shard](detail::wait_state& state) { core_.adopt_on(shard, state); });
  }

  /// The same for a callable, which is kept until its task has ended (see `spawn`).
  template <detail::makes_task F>
  void spawn_on(shard_id shard, F make) {
    spawn_on(shard, detail::keep_and_call(std::move(make)));
  }

  /// Like `spawn_on`, on the less loaded of two randomly chosen shards.
  template <class T>
  void spawn_balanced(task<T> spawned) {
    core_.check_shard();
    spawn_on(detail::less_loaded_shard(), std::move(spawned));
  }

  /// The same for a callable, which is kept until its task has ended (see `spawn`).
  template <detail::makes_task F>
  void spawn_balanced(F make) {
    spawn_balanced(detail::keep_and_call(std::move(make)));
  }

  /// Like `spawn`, and returns a handle of the task: include <tare/handle.hpp>.
  ///
  /// **Errors** Throws std::bad_alloc, and destroys the task. **Bytes** About 400, and the task's own frame.
  template <class T>
  [[nodiscard("without a handle, use spawn")]] handle<T> spawn_handle(task<T> spawned);
  /// The same for a callable, which is kept until its task has ended (see `spawn`).
  template <detail::makes_task F>
  [[nodiscard("without a handle, use spawn")]] auto spawn_handle(F make) {
    return spawn_handle(detail::keep_and_call(std::move(make)));
  }

  /// Cancels all tasks of the scope, including the body of `with_scope`. Tasks spawned later, until the next join has
  /// returned, are cancelled from the start. Costs O(tasks).
  ///
  /// **Threads** Any, while the scope exists. Called on a thread other than the scope's shard, it sends a message and
  /// returns immediately; the shard cancels the tasks when it handles the message, at the latest before a join returns.
  void cancel() noexcept { core_.cancel(); }

  /// Records `error`, which must not be null, as if a task had thrown it.
  void fail(std::exception_ptr error) noexcept { core_.fail(std::move(error)); }

  /// Number of tasks that have not ended, excluding the body of `with_scope`.
  [[nodiscard]] std::size_t size() const noexcept {
    core_.require_shard("size");
    return core_.size();
  }

  /// Waits until all tasks have ended. The scope is then reusable: errors and cancellation of this round do not affect
  /// tasks spawned later.
  ///
  /// **Errors** Throws the tasks' error if there was one: the first, or with `collect` all of them (errors that could
  /// not be stored because memory was exhausted are missing, but never the first). Throws std::logic_error if another
  /// task is already joining.
  /// **Cancellation** Cancels the scope's tasks; when they have ended, the join throws their error, or else
  /// `cancelled`.
  join_request join() noexcept;

  /// The shard that the scope belongs to.
  [[nodiscard]] shard_id shard() const noexcept { return core_.shard_number(); }

 private:
  template <std::invocable<scope&> Body>
  friend task<detail::body_value_t<Body>> with_scope(Body body, on_error policy);

  template <class T>
  void spawn_body(task<T> body) {
    enter(body.release("with_scope"), [this](detail::wait_state& state) { core_.adopt_body(state); });
  }

  template <class Adopt>
  static void enter(detail::link spawned, Adopt adopt) {
    detail::wait_state& state = *detail::from_link<detail::wait_state>(spawned);
    try {
      adopt(state);
    } catch (...) {
      detail::handle_of(state).destroy();
      throw;
    }
  }

  detail::scope_core core_;
};

class scope::join_request {
 public:
  using tare_awaiter = join_awaiter;
  explicit join_request(detail::scope_core& joined) noexcept : core(joined) {}
  detail::scope_core& core;
};

class scope::join_awaiter {
 public:
  join_awaiter(join_request request, detail::wait_state& /*task*/) noexcept : core_(request.core) {}

  [[nodiscard]] bool await_ready() const { return core_.begin_join(); }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> self) noexcept {
    core_.wait_for_all(self.promise());
  }
  void await_resume() { core_.finish_join(); }

 private:
  detail::scope_core& core_;
};

inline scope::join_request scope::join() noexcept { return join_request(core_); }

namespace detail {

template <class T>
task<> keep_value(task<T> body, std::optional<T>& kept) {
  kept.emplace(co_await std::move(body));
}

}  // namespace detail

/// Runs `body(scope&)`, which must return a task, as a task of the scope: its error counts like any other, and an error
/// of another task cancels it. Returns the body's result when all tasks have ended. If `body` throws before it returns
/// a task, the tasks it has spawned are cancelled.
///
/// **Errors** As for `scope::join`. Throws `cancelled` if the body was to return a value and has been cancelled, by
/// `scope::cancel`, instead. **Cancellation** Cancels all tasks and waits for them. A result that the body delivers
/// nevertheless is returned, and the next await throws `cancelled`.
template <std::invocable<scope&> Body>
task<detail::body_value_t<Body>> with_scope(Body body, on_error policy) {
  using value = detail::body_value_t<Body>;
  if constexpr (std::is_void_v<value>) {
    scope s(policy);
    try {
      s.spawn_body(std::invoke(body, s));
    } catch (...) {
      s.fail(std::current_exception());
    }
    co_await s.join();
  } else {
    std::optional<value> kept;
    {
      scope s(policy);
      try {
        s.spawn_body(detail::keep_value<value>(std::invoke(body, s), kept));
      } catch (...) {
        s.fail(std::current_exception());
      }
      try {
        co_await s.join();
      } catch (const cancelled&) {
        if (!kept) throw;  // a result that the body has delivered must not be lost
      }
    }
    if (!kept) throw cancelled();
    co_return std::move(*kept);
  }
}

}  // namespace tare
