#pragma once

// A shard: one thread's run queue, timers, mailbox and frames, and its main loop.

#include "frame/heap.hpp"
#include "frame/remote_stack.hpp"
#include "sched/driver.hpp"
#include "sched/parker.hpp"
#include "timer/clock.hpp"
#include "timer/wheel.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/detail/shard_state.hpp>
#include <tare/detail/wait_node.hpp>
#include <tare/shard_id.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>

namespace tare::detail {

class poll_descriptor;
class shard_meter;
class runtime_core;

/// Sees every step of every task. Only simulations have one (src/sim/).
class step_observer {
 public:
  step_observer() = default;
  step_observer(const step_observer&) = delete;
  step_observer& operator=(const step_observer&) = delete;
  virtual ~step_observer() = default;
  /// On the task's shard, outside its frames: `root` has been suspended, and may be cancelled.
  virtual void suspended(wait_state& root) noexcept = 0;
};

class shard final : public shard_state, private heap_owner {
 public:
  shard(runtime_core& runtime, shard_id number);
  ~shard() override;
  shard(const shard&) = delete;
  shard& operator=(const shard&) = delete;

  [[nodiscard]] static shard& current() noexcept { return static_cast<shard&>(*current_shard); }

  /// Makes the calling thread run this shard during its lifetime, and then restores the previous state, because a task
  /// may make and destroy its own runtime.
  class occupation {
   public:
    explicit occupation(shard& by) noexcept;
    ~occupation();
    occupation(const occupation&) = delete;
    occupation& operator=(const occupation&) = delete;

    /// True if the calling thread runs a shard of `runtime`, even if a shard of another runtime runs inside one of its
    /// tasks.
    [[nodiscard]] static bool is_inside(const runtime_core& runtime) noexcept;

   private:
    friend class shard;
    static constinit thread_local occupation* innermost;

    shard& shard_;
    occupation* outer_;
    shard_state* outer_shard_;
    heap* outer_heap_;
    frame_shelves* outer_shelves_;
  };

  /// Runs the loop until `done()`, which is checked after each round of tasks, or until the clock is at `limit`.
  template <class Done>
  void run_until(Done done, std::int64_t limit = never);

  /// For a thread with a loop of its own: one round of the shard's loop, without waiting; true if more is due.
  [[nodiscard]] bool run_once() noexcept;
  /// Makes `wakes` ready for reading when `run_once` will have something to do. False if it has something to do now.
  [[nodiscard]] bool stand_by(poll_descriptor& wakes) noexcept;
  /// The same without a descriptor: call `run_once` from time to time.
  void stand_by() noexcept;

  /// Any thread: delivers a message, or a task to be resumed here.
  void post(wait_state& mail) noexcept;
  /// Makes sure that a child process forked inside a task runs no task. Called before there are tasks.
  static void forget_after_fork();
  /// Called when every task of the runtime has ended: frees the remaining messages, and tasks that came too late.
  void take_last_messages() noexcept;
  /// Distributes the delivered messages and tasks.
  void take_mail() noexcept;
  /// Any thread: makes the loop run another iteration.
  void notify() noexcept;
  void wake() noexcept final { notify(); }

  void sleep(wait_state& task, std::int64_t nanoseconds, bool absolute) noexcept;
  void start_detached(wait_state& task) noexcept;
  /// A root has ended: destroys its frame and notifies its parent.
  void end_root(wait_state& task, std::exception_ptr error) noexcept;
  /// Notifies the scope or branch `parent` that its task `self` has ended.
  static void tell_parent(link parent, parent_kind kind, link self, std::exception_ptr error) noexcept;
  /// Moves the running task, whose leaf this is, to another shard. If it throws std::bad_alloc, the task stays.
  void move_away(wait_state& leaf, shard& target);
  /// Cancels every detached task that is suspended on this shard.
  void cancel_detached() noexcept;

  [[nodiscard]] std::int64_t now() noexcept { return clock_.now(); }
  /// The time that a delay counts from: now or slightly later.
  [[nodiscard]] std::int64_t not_before() noexcept { return clock_.not_before(); }
  /// Any thread: from now on the shard is measured; nullptr: no longer. The meter must exist until the runtime ends.
  void measure_with(shard_meter* meter) noexcept { meter_.store(meter, std::memory_order_release); }

  [[nodiscard]] wheel& timers() noexcept { return timers_; }
  [[nodiscard]] heap& frames() noexcept { return heap_; }
  [[nodiscard]] runtime_core& runtime() noexcept { return runtime_; }
  [[nodiscard]] shard_id number() const noexcept { return number_; }

  static inline constinit step_observer* observer = nullptr;

  /// Called once, on the shard's thread: from now on the shard waits in the driver.
  void install(std::unique_ptr<driver> installed) noexcept;

  // Detached tasks are counted where they start and where they end; the difference over all shards is the number alive.
  [[nodiscard]] std::uint64_t started() const noexcept {
    return started_.load(std::memory_order_relaxed) + started_elsewhere_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint64_t ended() const noexcept { return ended_.load(std::memory_order_acquire); }
  void count_started_from_elsewhere() noexcept { started_elsewhere_.fetch_add(1, std::memory_order_relaxed); }

  /// Tasks on this shard or in transit to it: detached tasks, tasks of scopes, branches of combinators.
  [[nodiscard]] std::int64_t load() const noexcept {
    return roots.load(std::memory_order_relaxed) + arrivals_.load(std::memory_order_relaxed);
  }
  /// Any thread: a task is about to be sent here.
  void count_arrival() noexcept { arrivals_.fetch_add(1, std::memory_order_relaxed); }

 private:
  /// Runs what is due; true if more remains.
  [[nodiscard]] bool turn() noexcept;
  /// Until there is work, or `limit`.
  void wait_for_work(std::int64_t limit) noexcept;
  void wait_measured(std::int64_t limit) noexcept;
  /// What the loop does when nothing is due: returns memory if it is time to. Returns when something is due next.
  std::optional<std::int64_t> rest() noexcept;
  /// The thread leaves the loop, and returns to it.
  void begin_absence() noexcept;
  void end_absence() noexcept;
  void end_stand_by() noexcept;
  [[nodiscard]] std::optional<std::int64_t> next_timer() noexcept;
  [[nodiscard]] bool is_trimmed() const noexcept;
  void trim() noexcept;
  /// True if there is more.
  [[nodiscard]] bool expire_timers() noexcept;
  /// Runs what is in the run queue, but only so many.
  void run_ready() noexcept;
  void run_ready_measured(shard_meter& meter) noexcept;
  void resume(wait_state& task) noexcept;
  void resume_observed(wait_state& task) noexcept;
  /// False for threads of other runtimes and for threads that run no shard.
  [[nodiscard]] bool belongs_here(const shard_state* poster) const noexcept;

  runtime_core& runtime_;
  shard_id number_;
  heap& heap_;
  clock clock_;
  wheel timers_;
  std::atomic<std::uint64_t> started_ = 0;  ///< written by this shard's thread only
  std::atomic<std::uint64_t> ended_ = 0;    ///< likewise
  bool cancelled_detached_ = false;
  std::int64_t next_trim_ = 0;
  std::int64_t expired_to_run_ = 0;  ///< tasks that run before more timers expire; not more than 0: none
  bool events_taken_ = false;        ///< the driver has just waited and need not be asked again
  std::unique_ptr<driver> driver_;
  std::atomic<shard_meter*> meter_ = nullptr;  ///< null unless the shard is watched
  /// Used by `notify`: a thread that found the shard asleep may wake it after the shard has got its driver.
  std::atomic<waker*> woken_by_ = nullptr;
  parker parker_;
  wait_state* observed_ = nullptr;  ///< the root of the running task, if there is an observer

  alignas(64) remote_stack mailbox_;
  std::atomic<std::uint64_t> started_elsewhere_ = 0;
  std::atomic<unsigned> guests_ = 0;  ///< threads in `post` that do not belong to the runtime
  std::atomic<std::int64_t> arrivals_ = 0;
};

template <class Done>
void shard::run_until(Done done, std::int64_t limit) {
  end_stand_by();
  end_absence();
  while (!done() && (limit == never || now() < limit)) {
    if (turn() || done()) continue;
    wait_measured(limit);
  }
  begin_absence();
}

}  // namespace tare::detail
