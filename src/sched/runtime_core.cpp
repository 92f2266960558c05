#include "sched/runtime_core.hpp"

#include "sched/processors.hpp"
#include "sched/report.hpp"
#include "sched/shard_thread.hpp"
#include "sched/stall.hpp"

#include <tare/error.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace tare::detail {

namespace {

unsigned shard_count_of(const runtime_options& options) {
  return options.shards == 0 ? usable_processors() : options.shards;
}

}  // namespace

void refuse_run_in_task() {
  if (current_shard != nullptr) throw std::logic_error("tare: run called from a task: co_await the task instead");
}

bool runtime_core::is_of_this_process() const noexcept { return process_ == ::getpid(); }

runtime_core::runtime_core(runtime_options options)
    : options_(std::move(options)),
      memory_(options_.memory_limit),
      virtual_time_(options_.clock == clock_kind::virtual_time
                        ? std::make_unique<virtual_time>(shard_count_of(options_),
                                                         [this](auto found) { return report_stall(found); })
                        : nullptr),
      blocking_pool_(std::max(1U, options_.blocking_threads), virtual_time_.get()) {
  shard::forget_after_fork();
  ceiling_.most = options_.frame_limit;
  // Pages that are populated before they are needed have not been admitted, so they must be few relative to the limit.
  constexpr std::size_t min_limit_to_populate_ahead = std::size_t{128} << 20U;
  ceiling_.populates_ahead = std::min(options_.frame_limit, options_.memory_limit) >= min_limit_to_populate_ahead;
  const unsigned shards = shard_count_of(options_);
  shards_.reserve(shards);
  for (shard_id number = 0; number < shards; ++number) shards_.push_back(std::make_unique<shard>(*this, number));
  driven_ = options_.background;
  threads_.reserve(shards);
  try {
    for (shard_id number = options_.background ? 0 : 1; number < shards; ++number) {
      threads_.emplace_back([this, &mine = *shards_[number]] { run_thread(mine); });
      if (options_.pin) pin_thread(threads_.back(), number);
    }
  } catch (...) {
    stopped_.store(true, std::memory_order_release);
    for (const auto& each : shards_) each->notify();
    for (std::thread& each : threads_) each.join();
    throw;
  }
}

void runtime_core::run_thread(shard& mine) noexcept {
  name_this_thread(options_.thread_name, mine.number());
  if (options_.on_thread_start) options_.on_thread_start(mine.number());
  {
    const shard::occupation here(mine);
    mine.run_until([this] { return stopped(); });
  }
  if (options_.on_thread_stop) options_.on_thread_stop(mine.number());
}

runtime_core::~runtime_core() {
  refuse_end_in_use();
  waiting_callers_.fetch_add(1, std::memory_order_relaxed);
  begin_to_stop();
  if (!options_.background) {
    const shard::occupation here(*shards_[0]);
    shards_[0]->run_until([this] {
      check_stopped();
      return stopped();
    });
  }
  for (std::thread& each : threads_) each.join();
  {
    // A cancellation may have been sent to a task that has since ended.
    const shard::occupation here(*shards_[0]);
    for (const auto& each : shards_) each->take_last_messages();
  }
  // Frames kept on one shard's shelf may belong to another shard's heap.
  for (const auto& each : shards_) {
    const std::scoped_lock alone(each->frames());
    each->frames().trim();
  }
}

void runtime_core::refuse_end_in_use() noexcept {
  const char* by = nullptr;
  if (shard::occupation::is_inside(*this)) by = "one of its tasks";
  if (blocking_pool::is_worker_of(blocking_pool_)) by = "a function that it runs through offload";
  {
    const std::scoped_lock guard(driving_lock_);
    if (by == nullptr && driven_ && !options_.background) by = "another thread while run is in progress";
  }
  if (by == nullptr) return;
  std::fprintf(stderr,
               "tare: a runtime was destroyed by %s (std::exit does that to a static runtime): return from run first, "
               "or end the program with std::quick_exit\n",
               by);
  std::abort();
}

void runtime_core::check_stopped() noexcept {
  // If the last tasks of two shards end at the same time, at least one shard sees that the other's has ended.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (stopped() || detached_tasks() != 0) return;
  {
    const std::scoped_lock guard(driving_lock_);
    stopped_.store(true, std::memory_order_release);
    driving_changed_.notify_all();  // a thread in `shutdown`
  }
  for (const auto& each : shards_) each->notify();
}

std::size_t runtime_core::detached_tasks() const noexcept {
  // Ends are read before starts, so a task that changes the counts in between can only make the result too large.
  std::uint64_t ended = 0;
  for (const auto& each : shards_) ended += each->ended();
  std::uint64_t started = 0;
  for (const auto& each : shards_) started += each->started();
  return started - ended;
}

void runtime_core::spawn_on(shard_id to, task<> detached) {
  shard& target = shard_at(to);
  wait_state& state = *from_link<wait_state>(detached.release("spawn_on"));
  state.set_kind(wait_kind::fresh);
  target.count_started_from_elsewhere();
  target.count_arrival();
  target.post(state);
}

void runtime_core::refuse_call(const char* call) const {
  const std::string name = std::string("tare: runtime::") + call;
  if (current_shard != nullptr) throw std::logic_error(name + " called from a task");
  if (threads_.empty() || is_of_this_process()) return;
  throw std::logic_error(name +
                         " called after a fork: the child process does not have the runtime's threads; make a runtime "
                         "in the child");
}

void runtime_core::drive(const std::function<task<>(completion&)>& make) {
  refuse_run_in_task();
  refuse_call("run");
  if (stopping()) throw std::logic_error("tare: runtime::run called after shutdown");
  class driven_run final : public completion {
   public:
    explicit driven_run(runtime_core& in) : in_(in) {}
    void complete() noexcept override {
      // Once `done` is seen, this object may be destroyed, but not the runtime, because the calling task still counts.
      runtime_core& in = in_;
      {
        const std::scoped_lock guard(in.driving_lock_);
        done = true;
        in.waiting_callers_.fetch_sub(1, std::memory_order_relaxed);
        in.driving_changed_.notify_all();
      }
      in.shards_[0]->notify();  // whichever thread runs shard 0, if this is another shard
    }
    bool done = false;

   private:
    runtime_core& in_;
  } finish(*this);

  spawn_on(0, make(finish));
  waiting_callers_.fetch_add(1, std::memory_order_relaxed);  // the thread does nothing more by itself
  std::unique_lock guard(driving_lock_);
  while (!finish.done) {
    if (driven_) {
      driving_changed_.wait(guard);
      continue;
    }
    driven_ = true;
    guard.unlock();
    {
      const shard::occupation here(*shards_[0]);
      shards_[0]->run_until([&] {
        const std::scoped_lock check(driving_lock_);
        return finish.done;
      });
    }
    guard.lock();
    leave_shard_0();
    wake_loop();
  }
}

class runtime_core::turn_as_shard_0 {
 public:
  explicit turn_as_shard_0(runtime_core& in) : in_(in) {
    const std::scoped_lock guard(in.driving_lock_);
    is_mine_ = !std::exchange(in.driven_, true);
  }
  ~turn_as_shard_0() {
    if (!is_mine_) return;
    const std::scoped_lock guard(in_.driving_lock_);
    in_.leave_shard_0();
  }
  turn_as_shard_0(const turn_as_shard_0&) = delete;
  turn_as_shard_0& operator=(const turn_as_shard_0&) = delete;

  explicit operator bool() const noexcept { return is_mine_; }

 private:
  runtime_core& in_;
  bool is_mine_ = false;
};

void runtime_core::measure(shard_id number, shard_meter& meter) noexcept {
  {
    // Under the lock, because a thread that becomes shard 0 ends the sleep only if it finds the meter.
    const std::scoped_lock guard(driving_lock_);
    if (number == 0 && !driven_) meter.sleep_begins();
    shards_[number]->measure_with(&meter);
  }
  shards_[number]->notify();  // a sleep that has begun unmeasured ends
}

void runtime_core::wake_loop() noexcept {
  if (wakes_loop_ != nullptr) wakes_loop_->wake();
}

void runtime_core::leave_shard_0() noexcept {
  driven_ = false;
  driving_changed_.notify_all();  // a thread in `run` may become shard 0
}

void runtime_core::refuse_poll(const char* call) const {
  refuse_call(call);
  const char* why = nullptr;
  if (options_.background) why = "runtime_options::background, which gives shard 0 a thread of its own";
  if (virtual_time_ != nullptr) why = "virtual time, which passes only while all shards wait";
  if (why == nullptr) return;
  throw std::logic_error(std::string("tare: runtime::") + call + " called on a runtime with " + why);
}

bool runtime_core::poll(std::chrono::nanoseconds max_time) {
  refuse_poll("poll");
  const turn_as_shard_0 turn(*this);
  if (!turn) return false;
  shard& mine = *shards_[0];
  const shard::occupation here(mine);
  if (wakes_loop_ != nullptr) wakes_loop_->clear();
  const auto start = std::chrono::steady_clock::now();
  bool more = false;
  do {
    more = mine.run_once();
  } while (more && std::chrono::steady_clock::now() - start < max_time);
  if (wakes_loop_ == nullptr) {
    if (!more) mine.stand_by();
    return more;
  }
  if (!more && mine.stand_by(*wakes_loop_)) return false;
  wakes_loop_->wake();
  return true;
}

int runtime_core::native_handle() {
  refuse_poll("poll_descriptor");
  const std::scoped_lock guard(driving_lock_);
  if (wakes_loop_ == nullptr) {
    if (driven_) throw std::logic_error("tare: runtime::poll_descriptor called while another thread runs shard 0");
    wakes_loop_ = std::make_unique<poll_descriptor>();
    wakes_loop_->wake();
  }
  return wakes_loop_->get();
}

void runtime_core::begin_to_stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  for (const auto& each : shards_) each->notify();
}

bool runtime_core::shutdown(std::chrono::nanoseconds max_time) {
  refuse_call("shutdown");
  begin_to_stop();
  if (const turn_as_shard_0 turn(*this); turn) {
    shard& mine = *shards_[0];
    const shard::occupation here(mine);
    const auto all_ended = [this] {
      check_stopped();
      return stopped();
    };
    mine.run_until(all_ended, deadline_after(mine.now(), std::max<std::int64_t>(max_time.count(), 0)));
    wake_loop();
    return stopped();
  }
  std::unique_lock guard(driving_lock_);
  constexpr std::chrono::nanoseconds year = std::chrono::years(1);  // no deadline overflows
  return driving_changed_.wait_for(guard, std::min(max_time, year), [this] { return stopped(); });
}

bool runtime_core::has_all_threads() const noexcept {
  // Not `threads_.size()`: the first of them may run while the constructor makes the others.
  const std::size_t threads = shards_.size() - (options_.background ? 0 : 1);
  const auto ours = static_cast<std::int64_t>(threads + blocking_pool_.live_threads()) +
                    waiting_callers_.load(std::memory_order_relaxed);
  const unsigned all = count_threads();
  return all != 0 && std::cmp_less_equal(all, ours);
}

bool runtime_core::report_stall(const virtual_time::stall& found) noexcept {
  if (detached_tasks() == 0) return false;  // an idle runtime
  const bool certain = !found.awaits_descriptors && has_all_threads();
  if (!certain && !found.for_long) return false;
  print_stall(*this, certain);
  if (certain) std::abort();
  return true;
}

void runtime_core::unhandled(std::exception_ptr error) noexcept {
  if (options_.unhandled) {
    options_.unhandled(std::move(error));
    return;
  }
  print_exception("a detached task ended by an exception", error);
  std::terminate();
}

}  // namespace tare::detail

namespace tare {

runtime::runtime(runtime_options options) : core_(std::make_unique<detail::runtime_core>(std::move(options))) {}
runtime::~runtime() {
  // After a fork, the threads that it would wait for exist only in the parent.
  if (!core_->is_of_this_process()) (void)core_.release();  // NOLINT(bugprone-unused-return-value)
}

void runtime::drive(const std::function<task<>(detail::completion&)>& make) { core_->drive(make); }
void runtime::spawn_on(shard_id shard, task<> detached) { core_->spawn_on(shard, std::move(detached)); }
memory_budget& runtime::memory() noexcept { return core_->memory(); }
int runtime::poll_descriptor() { return core_->native_handle(); }
bool runtime::poll(std::chrono::nanoseconds max_time) { return core_->poll(max_time); }
bool runtime::shutdown(std::chrono::nanoseconds max_time) { return core_->shutdown(max_time); }
unsigned runtime::shards() const noexcept { return static_cast<unsigned>(core_->shard_count()); }
std::size_t runtime::detached_tasks() const noexcept { return core_->detached_tasks(); }
std::size_t runtime::frame_bytes() const noexcept { return core_->ceiling().held.load(std::memory_order_relaxed); }

}  // namespace tare
