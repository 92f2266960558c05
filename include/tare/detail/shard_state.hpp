#pragma once

// The part of a shard that is accessed by code inlined into coroutines.

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
  /// The exception of a child that has just ended; its parent, which resumes immediately, takes it.
  std::exception_ptr in_flight;
  run_queue ready;
  /// Number of steps the current task may still take before it goes to the end of the queue.
  std::int32_t budget = 0;
  link nodes = no_link;             ///< every wait_node of the shard's tasks
  link cancelling = no_link;        ///< waiting parents whose tasks are yet to be cancelled
  bool cancelling_already = false;  ///< a caller up the stack is processing `cancelling`
  driver* io = nullptr;             ///< nullptr until something waits for a descriptor

  void make_ready(wait_state& task, wait_kind how) noexcept {
    task.set_kind(how);
    ready.push(task);
  }

  /// The value that `await_suspend` returns for a cancelled task, which must not wait. True if the task has no steps
  /// left: then it is queued, so that other tasks get their turn, and throws `cancelled` when it resumes.
  [[nodiscard]] bool refuse(wait_state& task) noexcept;

  /// The value that `await_suspend` returns for an await that completes immediately. Also true if the task has no steps
  /// left.
  [[nodiscard]] bool end_at_once(wait_state& task) noexcept {
    if (--budget >= 0) [[likely]]
      return false;
    make_ready(task, wait_kind::ready);
    return true;
  }

  /// Queues a task that begins on this shard. Called on the shard's thread.
  void begin_root(wait_state& root) noexcept {
    count_root();
    make_ready(root, wait_kind::fresh);
  }
  void count_root(int change = 1) noexcept {
    roots.store(roots.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
  }
  /// Tasks that have begun on this shard, minus those that have ended here or left. Only the shard's thread writes it.
  std::atomic<std::int64_t> roots = 0;

  void rethrow_in_flight() {
    if (in_flight) [[unlikely]]
      rethrow();
  }

  // A cancellation passes from the code that ends a wait to the `await_resume` of that wait, which runs next on this
  // thread. `await_resume` must take the cancellation before it does anything else, including throwing another
  // exception. Otherwise the next await would take it, and lose what it has been granted.

  /// A task is about to be resumed.
  void begin_slice(bool cancelled) noexcept {
    check_await();
    wake_cancelled_ = cancelled;
  }
  /// For `refuse` and the reactor: the `await_resume` that follows throws `cancelled`.
  void refuse_await() noexcept { wake_cancelled_ = true; }
  /// For `await_resume`: true if the wait was cancelled.
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
  /// An await begins: the previous one must have taken its cancellation.
  void check_await() const noexcept { assert(!wake_cancelled_ && "an await has not taken its cancellation"); }

 private:
  // Out of line, because an exception_ptr among the coroutine's locals would cost 8 bytes in every frame.
  [[noreturn]] void rethrow();
  [[noreturn]] static void throw_cancelled();

  bool wake_cancelled_ = false;
};

/// Tasks run only while this is set.
extern constinit thread_local shard_state* current_shard;

}  // namespace tare::detail
