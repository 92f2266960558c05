#pragma once

// Structured concurrency: a scope owns the tasks spawned in it, and ends only when they have.
//
//   co_await tare::with_scope([&](tare::scope& s) -> tare::task<> {
//     for (auto& peer : peers) s.spawn(ping(peer));
//     co_return;
//   });                                  // here all have ended
//
// Bytes: 4.3 for each task beside its frame; the scope itself is 112. A scope belongs to the shard it was made on, and
// its tasks run there; `spawn_on` is for the others.

#include <tare/detail/scope_core.hpp>
#include <tare/task.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

namespace tare {

enum class on_error : std::uint8_t {
  cancel_siblings,  ///< the first error cancels the other tasks and is rethrown by the join
  collect,          ///< all tasks run to their ends; errors are thrown together as an error_group
};

class scope;
template <std::invocable<scope&> Body>
task<> with_scope(Body body, on_error policy = on_error::cancel_siblings);

/// A local of a coroutine, or part of one. Tasks may spawn into the scope they run in.
///
/// **Threads** To be used on the shard it was made on, except for `cancel` and `shard`: `spawn`, `spawn_on` and `join`
/// throw std::logic_error on another, `fail` and `size` end the program with a message.
class scope {
 public:
  class join_awaiter;
  class join_request;

  explicit scope(on_error policy = on_error::cancel_siblings) noexcept : core_(policy == on_error::collect) {}

  /// No task may be left: C++ cannot wait in a destructor. Join on every path, or use `with_scope`, which does it on
  /// the way of an exception too. With tasks left, the program is terminated with a message.
  ~scope() = default;
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;

  /// Queues the task on this shard. Its result is dropped, its error belongs to the scope. Throws std::bad_alloc if
  /// there is no memory to note it down; then the task is destroyed.
  template <class T>
  void spawn(task<T> spawned) {
    enter(spawned.release("scope::spawn"), [this](detail::wait_state& state) { core_.adopt(state); });
  }

  /// Likewise on another shard of the runtime, beside which the scope knows a record of 128 bytes. Throws
  /// std::out_of_range if there is no such shard.
  template <class T>
  void spawn_on(unsigned shard, task<T> spawned) {
    enter(spawned.release("scope::spawn_on"),
          [this, shard](detail::wait_state& state) { core_.adopt_on(shard, state); });
  }

  /// Cancels all tasks of the scope, the body of `with_scope` among them; those spawned before the next join has
  /// returned are cancelled from the start. Costs O(tasks).
  ///
  /// **Threads** Any, while the scope exists. From another thread than the scope's shard this sends a message and
  /// returns at once; the shard cancels the tasks when it comes to it, at the latest before a join returns.
  void cancel() noexcept { core_.cancel(); }

  /// Counts `error`, which must not be null, as if a task had thrown it.
  void fail(std::exception_ptr error) noexcept { core_.fail(std::move(error)); }

  /// Tasks that have not ended, the body of `with_scope` not counted.
  [[nodiscard]] std::size_t size() const noexcept {
    core_.require_shard("size");
    return core_.size();
  }

  /// Waits until all tasks have ended. Then the scope is as new: neither an error nor a cancellation of this round
  /// concerns tasks that are spawned later.
  ///
  /// **Errors** Throws the tasks' error, if there was one: the first, or all that were collected (without those that
  /// came when there was no memory left, but always the first). Throws std::logic_error if another task is joining.
  /// **Cancellation** The scope's tasks are cancelled, and the join throws their error, or else `cancelled`, when they
  /// have ended.
  [[nodiscard]] join_request join() noexcept;

  /// The shard it belongs to.
  [[nodiscard]] unsigned shard() const noexcept { return core_.shard_number(); }

 private:
  template <std::invocable<scope&> Body>
  friend task<> with_scope(Body body, on_error policy);

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
  explicit join_request(detail::scope_core& of) noexcept : core(of) {}
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

/// Runs `body(scope&)`, which gives a task, as one of the scope's own: its error counts as theirs do, and theirs
/// cancels it too. Returns when all have ended. A body that throws before it gives a task cancels what it has spawned.
template <std::invocable<scope&> Body>
task<> with_scope(Body body, on_error policy) {
  scope s(policy);
  try {
    s.spawn_body(std::invoke(body, s));
  } catch (...) {
    s.fail(std::current_exception());
  }
  co_await s.join();
}

}  // namespace tare
