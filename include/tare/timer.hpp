#pragma once

// A time limit that can be moved while a task waits for it.
//
//   tare::timer idle(30s);                                  // runs from now
//   idle.reset();                                           // elsewhere on the shard: 30 s from now again
//   co_await idle.wait();                                   // returns when nobody has reset it for 30 s
//   auto got = co_await tare::select(line.receive(), idle.wait());
//
// **Bytes** 24, and 72 in the frame of a waiting task. Moving it is O(1) and wakes nobody.

#include <tare/detail/misuse.hpp>
#include <tare/detail/select_arm.hpp>
#include <tare/detail/timer_node.hpp>
#include <tare/detail/wait_node.hpp>
#include <tare/sleep.hpp>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <stdexcept>
#include <type_traits>

namespace tare {

/// Must outlive the wait: the destructor aborts the program if a task waits. **Threads** Use it on one shard. One task
/// at a time may wait for it.
class timer {
 public:
  using clock = std::chrono::steady_clock;
  class wait_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] wait_request {
    using tare_awaiter = wait_awaiter;
    timer& on;
  };

  /// Runs from now.
  explicit timer(clock::duration time) noexcept : time_(time), deadline_(later(time)) {}
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;
  ~timer() {
    if (armed_ != nullptr) detail::misuse("timer::~timer: a task waits for it: let it end first");
  }

  /// Restarts the timer now, with the same duration or another.
  void reset() noexcept { move_to(later(time_)); }
  void reset(clock::duration time) noexcept {
    time_ = time;
    reset();
  }

  [[nodiscard]] clock::time_point deadline() const noexcept { return deadline_; }
  [[nodiscard]] bool has_expired() const noexcept { return now() >= deadline_; }

  /// Waits until the time is up; immediately if it is.
  ///
  /// **Errors** Throws std::logic_error if another task is waiting. **Cancellation** Ends the wait; the timer runs on.
  /// **Bytes** 72 in the frame.
  wait_request wait() noexcept { return {*this}; }

 private:
  template <class A>
  friend class detail::select_arm;

  [[nodiscard]] static clock::time_point later(clock::duration time) noexcept {
    const clock::time_point present = now();
    return time > clock::time_point::max() - present ? clock::time_point::max() : present + time;
  }
  void move_to(clock::time_point deadline) noexcept {
    deadline_ = deadline;
    if (armed_ == nullptr) return;
    detail::disarm(*armed_);
    detail::arm_at(*armed_, detail::saturated_nanoseconds(deadline.time_since_epoch()));
  }
  void check_free() const {
    if (armed_ != nullptr) throw std::logic_error("tare::timer: another task is already waiting for it");
  }
  /// No other task may be waiting.
  void start(detail::timer_node& alarm) noexcept {
    armed_ = &alarm;
    detail::arm_at(alarm, detail::saturated_nanoseconds(deadline_.time_since_epoch()));
  }
  void stop(detail::timer_node& alarm) noexcept {
    if (armed_ != &alarm) return;
    detail::disarm(alarm);
    armed_ = nullptr;
  }

  clock::duration time_;
  clock::time_point deadline_;
  detail::timer_node* armed_ = nullptr;  ///< of the waiting task
};

class timer::wait_awaiter : private detail::wait_node, private detail::timer_node {
 public:
  wait_awaiter(wait_request request, detail::wait_state& /*task*/) noexcept : on_(request.on) {}
  wait_awaiter(const wait_awaiter&) = delete;
  wait_awaiter& operator=(const wait_awaiter&) = delete;
  ~wait_awaiter() = default;

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    detail::wait_state& task = self.promise();
    if (on_.has_expired()) return detail::current_shard->end_at_once(task);
    if (task.cancelled) return detail::current_shard->refuse(task);
    give_up = [](detail::wait_node& node) noexcept {
      auto& waiter = static_cast<wait_awaiter&>(node);
      waiter.on_.stop(waiter);
      waiter.wake_here(detail::wait_kind::ready_cancelled);
    };
    expired = [](detail::timer_node& alarm) noexcept {
      auto& waiter = static_cast<wait_awaiter&>(alarm);
      waiter.on_.stop(waiter);
      waiter.wake_here(detail::wait_kind::ready);
    };
    on_.check_free();
    on_.start(*this);
    begin(task);
    return true;
  }
  static void await_resume() { detail::current_shard->throw_if_cancelled(); }

 private:
  timer& on_;
};

namespace detail {

template <>
inline constexpr bool has_own_arm<timer::wait_request> = true;

template <class A>
  requires std::same_as<std::remove_reference_t<A>, timer::wait_request>
class select_arm<A> {
 public:
  using result = void;

  explicit select_arm(arm_source<A> source) noexcept : on_(source.request->on) {}
  select_arm(const select_arm&) = delete;
  select_arm& operator=(const select_arm&) = delete;
  ~select_arm() = default;

  [[nodiscard]] static brief_lock* lock() noexcept { return nullptr; }
  [[nodiscard]] bool try_now(wake_last& /*woken*/) const {
    on_.check_free();
    return false;
  }
  [[nodiscard]] bool enqueue(select_core& core) noexcept {
    if (on_.has_expired()) return false;
    alarm_.core = &core;
    if (on_.armed_ == nullptr) on_.start(alarm_);  // otherwise armed by another arm of this select
    return true;
  }
  void withdraw() noexcept { on_.stop(alarm_); }
  [[nodiscard]] link id() noexcept { return alarm_.id(); }
  void take() noexcept { on_.stop(alarm_); }

 private:
  select_alarm alarm_;
  timer& on_;
};

}  // namespace detail
}  // namespace tare
