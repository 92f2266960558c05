#pragma once

// The part of a shard that code inlined into coroutines touches.

#include <tare/detail/wait_state.hpp>
#include <tare/error.hpp>

#include <atomic>
#include <cassert>
#include <cstdint>
#include <exception>

namespace tare::detail {

class driver;

/// First-in first-out queue of ready tasks, linked through their wait states.
class run_queue {
 public:
  [[nodiscard]] bool empty() const noexcept { return head_ == no_link; }

  void push(wait_state& ready) noexcept {
    const link pushed = to_link(&ready);
    ready.next = no_link;
    if (head_ == no_link) {
      head_ = pushed;
    } else {
      from_link<wait_state>(tail_)->next = pushed;
    }
    tail_ = pushed;
  }

  [[nodiscard]] wait_state& pop() noexcept {
    wait_state& first = *from_link<wait_state>(head_);
    head_ = first.next;
    return first;
  }

  [[nodiscard]] link head() const noexcept { return head_; }

 private:
  link head_ = no_link;
  link tail_ = no_link;
};

struct shard_state {
  /// Of a child that has just ended by an exception; its parent, resumed at once, takes it.
  std::exception_ptr in_flight;
  run_queue ready;
  /// Steps the current task may still take before it goes to the end of the queue.
  std::int32_t budget = 0;
  link nodes = no_link;             ///< every wait_node of the shard's tasks
  link cancelling = no_link;        ///< waiting parents whose tasks are yet to be cancelled
  bool cancelling_already = false;  ///< somebody up the stack works through them
  driver* io = nullptr;             ///< nullptr until something waits for a descriptor

  void make_ready(wait_state& task, wait_kind how) noexcept {
    task.set_kind(how);
    ready.push(task);
  }

  /// For `await_suspend`, of a task that is cancelled and so must not wait: what it returns. True if the task has no
  /// steps left; then it is queued, so that others get their turn, and throws `cancelled` when its own has come.
  [[nodiscard]] bool refuse(wait_state& task) noexcept;

  /// For `await_suspend`, of an await that is over at once: what it returns. Likewise true if no steps are left.
  [[nodiscard]] bool end_at_once(wait_state& task) noexcept {
    if (--budget >= 0) [[likely]]
      return false;
    make_ready(task, wait_kind::ready);
    return true;
  }

  /// Queues a task that begins on this shard. By its thread.
  void begin_root(wait_state& root) noexcept {
    count_root();
    make_ready(root, wait_kind::fresh);
  }
  void count_root(int change = 1) noexcept {
    roots.store(roots.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
  }
  /// Tasks that have begun on this shard, without those that have ended here or left. Written by its thread only.
  std::atomic<std::int64_t> roots = 0;

  void rethrow_in_flight() {
    if (in_flight) [[unlikely]]
      rethrow();
  }

  // A cancellation passes from whoever ends a wait to the `await_resume` of that wait, which comes next on this thread.
  // It has to take the cancellation before it does anything else, also before it throws something else: the next await
  // would take it for its own, and lose what it has been granted.

  /// A task is about to be resumed.
  void begin_slice(bool cancelled) noexcept {
    check_await();
    wake_cancelled_ = cancelled;
  }
  /// For `refuse` and the reactor: the `await_resume` that follows throws `cancelled`.
  void refuse_await() noexcept { wake_cancelled_ = true; }
  /// For `await_resume`: true if the wait was given up.
  [[nodiscard]] bool take_cancelled() noexcept {
    if (!wake_cancelled_) [[likely]]
      return false;
    wake_cancelled_ = false;
    return true;
  }
  void throw_if_cancelled() {
    if (take_cancelled()) [[unlikely]]
      throw_cancelled();
  }
  /// An await begins: the one before it must have taken its cancellation.
  void check_await() const noexcept { assert(!wake_cancelled_ && "an await has not taken its cancellation"); }

 private:
  // Out of line: an exception_ptr among the coroutine's locals would take 8 bytes of every frame.
  [[noreturn]] void rethrow();
  [[noreturn]] static void throw_cancelled();

  bool wake_cancelled_ = false;
};

/// Tasks run only while this is set.
extern constinit thread_local shard_state* current_shard;

}  // namespace tare::detail
