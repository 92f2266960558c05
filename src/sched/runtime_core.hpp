#pragma once

// What `runtime` owns: the shards, their threads, and their shutdown.

#include "frame/heap.hpp"
#include "sched/blocking_pool.hpp"
#include "sched/poll_descriptor.hpp"
#include "sched/shard.hpp"
#include "sched/shard_meter.hpp"
#include "timer/virtual_time.hpp"

#include <tare/runtime.hpp>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace tare::detail {

class runtime_core {
 public:
  explicit runtime_core(runtime_options options);
  ~runtime_core();
  runtime_core(const runtime_core&) = delete;
  runtime_core& operator=(const runtime_core&) = delete;

  void drive(const std::function<task<>(completion&)>& make);
  void spawn_on(shard_id to, task<> detached);
  [[nodiscard]] bool poll(std::chrono::nanoseconds max_time);
  [[nodiscard]] int native_handle();
  [[nodiscard]] bool shutdown(std::chrono::nanoseconds max_time);

  [[nodiscard]] std::size_t shard_count() const noexcept { return shards_.size(); }
  [[nodiscard]] shard& shard_at(shard_id number) { return *shards_.at(number); }
  [[nodiscard]] std::size_t detached_tasks() const noexcept;
  [[nodiscard]] frame_ceiling& ceiling() noexcept { return ceiling_; }
  [[nodiscard]] memory_budget& memory() noexcept { return memory_; }
  [[nodiscard]] blocking_pool& blocking() noexcept { return blocking_pool_; }
  [[nodiscard]] io_kind io() const noexcept { return options_.io; }
  [[nodiscard]] virtual_time* simulated_time() noexcept { return virtual_time_.get(); }

  /// True from the moment `shutdown` or the destruction of the runtime begins.
  [[nodiscard]] bool stopping() const noexcept { return stopping_.load(std::memory_order_acquire); }
  /// Called during shutdown whenever a detached task has ended.
  void check_stopped() noexcept;

  /// A meter for each shard, made by the first watch; empty before.
  [[nodiscard]] std::vector<std::unique_ptr<shard_meter>>& meters() noexcept { return meters_; }
  /// True if the runtime was not being watched; it is from now on.
  [[nodiscard]] bool try_begin_watch() noexcept { return !watched_.exchange(true, std::memory_order_acq_rel); }
  /// Begins to measure a shard. If no thread runs shard 0, it counts as asleep until one does.
  void measure(shard_id number, shard_meter& meter) noexcept;
  void end_watch() noexcept { watched_.store(false, std::memory_order_release); }

  /// False in a child process forked after the runtime was made.
  [[nodiscard]] bool is_of_this_process() const noexcept;

  /// Handles the exception of a detached task.
  void unhandled(std::exception_ptr error) noexcept;

 private:
  /// Aborts the program if the runtime waits for the calling thread, or if another thread uses it.
  void refuse_end_in_use() noexcept;
  /// Called in virtual time when all tasks wait and no deadline is left. True if that was reported.
  [[nodiscard]] bool report_stall(const virtual_time::stall& found) noexcept;
  /// True if every thread of the process belongs to the runtime or waits for it.
  [[nodiscard]] bool has_all_threads() const noexcept;

  /// The thread of a shard, from its start to its end.
  void run_thread(shard& mine) noexcept;
  /// Throws std::logic_error if called from a task, or in a child process without the runtime's threads.
  void refuse_call(const char* call) const;
  /// During its lifetime the calling thread is shard 0, unless another thread already was.
  class turn_as_shard_0;
  /// Under the lock.
  void leave_shard_0() noexcept;
  /// A loop outside, if any, has to call `poll` again.
  void wake_loop() noexcept;
  void begin_to_stop() noexcept;
  /// Throws std::logic_error if shard 0 cannot be run by a loop outside.
  void refuse_poll(const char* call) const;

  [[nodiscard]] bool stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }

  pid_t process_ = ::getpid();
  runtime_options options_;
  frame_ceiling ceiling_;
  memory_budget memory_;
  std::unique_ptr<virtual_time> virtual_time_;
  std::unique_ptr<poll_descriptor> wakes_loop_;       ///< null if no loop outside runs shard 0
  std::vector<std::unique_ptr<shard_meter>> meters_;  ///< used by the shards
  std::atomic<bool> watched_ = false;
  std::vector<std::unique_ptr<shard>> shards_;
  blocking_pool blocking_pool_;  ///< its threads wake tasks, so it is destroyed before the shards
  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> stopped_ = false;

  std::mutex driving_lock_;
  std::condition_variable driving_changed_;
  bool driven_ = false;  ///< a thread is shard 0
  /// Threads in `run`, whose tasks have not ended, or in the destructor. Below 0 if a task ends before its thread
  /// waits.
  std::atomic<int> waiting_callers_ = 0;
};

}  // namespace tare::detail
