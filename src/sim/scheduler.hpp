#pragma once

// Fibers instead of threads, and virtual time. One fiber runs at a time. It is switched only where it blocks, and at
// the calls that are simulated; the seed decides which runs next. When none can run, time jumps to the next event.

#include "sim/context.hpp"
#include "sim/random.hpp"
#include "sim/thread_image.hpp"
#include "sim/trace.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

namespace tare::sim::detail {

struct machine;

using nanoseconds = std::int64_t;

struct fiber {
  explicit fiber(std::uint32_t its_number, std::function<void()> its_body)
      : number(its_number), body(std::move(its_body)) {}

  std::uint32_t number;
  std::function<void()> body;
  machine* on = nullptr;
  context where;
  std::unique_ptr<stack> memory = std::make_unique<stack>();
  thread_image variables;
  std::uint64_t priority = 0;
  bool runnable = true;
  bool done = false;
  bool detached = false;
  bool timed_out = false;
  std::uint64_t waits = 0;  ///< number of times it has blocked, which tells whether an event is still for this wait
  const void* waits_at = nullptr;
  const char* waits_in = nullptr;
  int waits_for_descriptor = -1;
  int locks = 0;            ///< mutexes that it holds
  bool wakes_last = false;  ///< it runs only when no other fiber can
  void* result = nullptr;
};

/// How the seed decides which fiber runs next.
enum class policy : std::uint8_t {
  uniform,     ///< any, with the same probability
  priorities,  ///< the one with the highest random priority; at a few steps, the running one's becomes the lowest (PCT)
};

class scheduler {
 public:
  explicit scheduler(std::uint64_t seed);
  scheduler(const scheduler&) = delete;
  scheduler& operator=(const scheduler&) = delete;
  ~scheduler();

  fiber& start(std::function<void()> body, machine* on);
  /// On the thread's own stack: runs fibers until `last` has ended, or `fail` was called.
  void run(const fiber& last);
  [[nodiscard]] fiber* current() const noexcept { return current_; }

  [[nodiscard]] nanoseconds now() const noexcept { return now_; }
  void forget_events() noexcept { events_ = {}; }
  /// Calls `action` at a time, outside fibers.
  void at(nanoseconds time, std::function<void()> action);

  // From a fiber.
  /// Blocks until `wake_at(address)` or a time. False if the time has come.
  bool wait_at(const void* address, const char* in, std::optional<nanoseconds> deadline = std::nullopt,
               int descriptor = -1);
  /// Wakes up to `count` of those that wait at an address; returns how many.
  std::size_t wake_at(const void* address, std::size_t count);
  /// A call of the fiber takes `cost`; another fiber may continue.
  void step_of(const char* what, int descriptor, std::int64_t result, nanoseconds cost);
  /// A clock has been read. A loop that waits for its time lets others run.
  void read_clock(nanoseconds cost);
  /// Any other fiber that can run does first.
  void yield();
  /// Ends the current fiber.
  [[noreturn]] void end_current() noexcept;
  /// nullptr if it has been forgotten.
  [[nodiscard]] fiber* find(std::uint32_t number) noexcept;
  /// It has ended, and nobody will join it.
  void forget(fiber& ended);

  /// Ends the run: what was wrong. From a fiber, it does not return.
  void fail(std::string why);
  [[nodiscard]] const std::optional<std::string>& failure() const noexcept { return failure_; }
  [[nodiscard]] const trace& steps() const noexcept { return trace_; }
  [[nodiscard]] std::string describe_fibers() const;
  [[nodiscard]] bool is_alone() const noexcept;
  /// Abandons the fibers of a machine, wherever they are.
  void abandon(const machine& on) noexcept;
  /// True if a fiber of the machine holds a mutex.
  [[nodiscard]] bool holds_locks(const machine& on) const noexcept;
  [[nodiscard]] std::string label_of(std::uint32_t number) const;

  nanoseconds time_limit = INT64_MAX;
  double real_seconds_limit = 60;
  /// The number of the wake after which the woken fiber runs last; 0: none.
  std::uint64_t late_wake = 0;
  [[nodiscard]] std::uint64_t wakes() const noexcept { return wakes_; }
  std::function<std::string(const fiber&)> name_of;

 private:
  struct event {
    nanoseconds time;
    std::uint64_t order;
    std::uint64_t number;
    std::function<void()> action;
    [[nodiscard]] bool operator<(const event& other) const noexcept {
      if (time != other.time) return time > other.time;
      return order != other.order ? order > other.order : number > other.number;
    }
  };

  void run_events();
  /// False if nothing will ever happen.
  bool jump();
  [[nodiscard]] fiber* choose();
  [[nodiscard]] bool is_most_urgent(const fiber& of) const noexcept;
  void switch_to(fiber& next) noexcept;
  void back_to_scheduler() noexcept;
  void check_limits();
  void make_runnable(fiber& woken) noexcept;
  static void enter(void* of);

  random_sequence schedule_random_;
  random_sequence order_random_;
  policy policy_;
  std::uint64_t switch_once_in_;
  std::vector<std::uint64_t> change_points_;
  std::uint64_t lowest_priority_ = UINT64_MAX / 2;
  std::uint64_t steps_without_switch_ = 0;
  std::uint64_t clock_reads_ = 0;

  nanoseconds now_ = 0;
  std::uint64_t event_count_ = 0;
  std::priority_queue<event> events_;

  std::vector<std::unique_ptr<fiber>> fibers_;
  std::map<std::uint32_t, fiber*> living_;
  std::uint32_t fiber_count_ = 0;
  std::unordered_map<const void*, std::deque<fiber*>> waiting_;
  fiber* current_ = nullptr;
  fiber* in_place_ = nullptr;  ///< whose variables are in place
  context main_;
  thread_image main_variables_;
  std::optional<std::string> failure_;
  trace trace_;
  std::uint64_t wakes_ = 0;
  std::int64_t real_start_ = 0;
};

}  // namespace tare::sim::detail
