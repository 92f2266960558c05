#pragma once

// The waits that a select consists of. An awaiter of a primitive can be one if it is a queued_wait with these functions
// (channel.hpp):
//
//   try_now(woken)   completes the wait if that is possible immediately. Requires the lock
//   enqueue()        puts the node into the queue; false if it has completed the wait instead. Requires the lock
//   select_lock()    the lock that guards the queue
//   withdraw()       takes the lock and removes the node from the queue; false if it is not in the queue

#include <tare/detail/join_group.hpp>
#include <tare/detail/promise.hpp>
#include <tare/detail/queued_wait.hpp>
#include <tare/detail/timer_node.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

namespace tare::detail {

/// Not with a time limit of its own: `sleep_for` is an arm.
template <class Awaiter>
concept selectable_awaiter = !std::is_base_of_v<timer_node, Awaiter> && requires(Awaiter& wait, select_wakes& woken) {
  static_cast<queued_wait&>(wait);
  { wait.try_now(woken) } -> std::same_as<bool>;
  { wait.enqueue() } -> std::same_as<bool>;
  { wait.select_lock() } -> std::same_as<brief_lock*>;
  { wait.withdraw() } -> std::same_as<bool>;
};

/// True for requests with a select_arm of their own.
template <class A>
inline constexpr bool has_own_arm = false;
template <>
inline constexpr bool has_own_arm<sleep_request> = true;

/// A request that can be an arm of a select.
template <class A>
concept selectable =
    has_own_arm<A> || (requires { typename A::tare_awaiter; } && selectable_awaiter<typename A::tare_awaiter>);

/// What an arm is made of. A is a request, or a reference to one of the caller, which gets back what was not sent.
template <class A>
struct arm_source {
  std::remove_reference_t<A>* request;
  wait_state* task;
};

template <class A>
class select_arm {
  using request = std::remove_reference_t<A>;

 public:
  using result = decltype(std::declval<typename request::tare_awaiter&>().await_resume());

  explicit select_arm(arm_source<A> source) : wait_(std::move(*source.request), *source.task) {
    if constexpr (std::is_reference_v<A>) origin_.from = source.request;
    wait_.granted = true;  // not in a queue
  }
  select_arm(const select_arm&) = delete;
  select_arm& operator=(const select_arm&) = delete;
  /// Not chosen, or an exception before a choice was possible.
  ~select_arm() {
    if constexpr (std::is_reference_v<A> && requires { wait_.give_back(*origin_.from); }) {
      if (origin_.from != nullptr) wait_.give_back(*origin_.from);
    }
  }

  [[nodiscard]] brief_lock* lock() const noexcept { return wait_.select_lock(); }
  [[nodiscard]] bool try_now(select_wakes& woken) { return wait_.try_now(woken); }
  [[nodiscard]] bool enqueue(select_core& core) noexcept {
    wait_.home = core.home;
    wait_.owner = core.owner;
    wait_.in_select = true;
    wait_.granted = false;
    if (wait_.enqueue()) return true;
    wait_.granted = true;
    return false;
  }
  /// For an arm that has not been chosen.
  void withdraw() noexcept {
    if (wait_.in_select) (void)wait_.withdraw();  // otherwise it was never in the queue
  }
  [[nodiscard]] link id() noexcept { return to_link(static_cast<wait_node*>(&wait_)); }
  result take() {
    if constexpr (std::is_reference_v<A>) origin_.from = nullptr;
    return wait_.await_resume();
  }

 private:
  struct nothing {};
  struct origin {
    request* from = nullptr;
  };

  typename request::tare_awaiter wait_;
  [[no_unique_address]] std::conditional_t<std::is_reference_v<A>, origin, nothing> origin_;
};

/// The timer of an arm: ends the select when it expires.
struct select_alarm : timer_node {
  select_alarm() noexcept {
    expired = [](timer_node& self) noexcept {
      auto& rung = static_cast<select_alarm&>(self);
      if (rung.core->claim(rung.id())) rung.core->wake_here(wait_kind::ready);
    };
  }
  [[nodiscard]] link id() noexcept { return to_link(static_cast<wait_state*>(this)); }

  select_core* core = nullptr;
};

template <class A>
  requires std::same_as<std::remove_reference_t<A>, sleep_request>
class select_arm<A> {
 public:
  using result = void;

  explicit select_arm(arm_source<A> source) noexcept : time_(*source.request) {}
  select_arm(const select_arm&) = delete;
  select_arm& operator=(const select_arm&) = delete;
  ~select_arm() = default;

  [[nodiscard]] static brief_lock* lock() noexcept { return nullptr; }
  /// A time that has come does not precede the other arms: `sleep_for(0s)` is "if nothing else is ready".
  [[nodiscard]] static bool try_now(select_wakes& /*woken*/) noexcept { return false; }
  [[nodiscard]] bool enqueue(select_core& core) noexcept {
    timer_.core = &core;
    if (time_.nanoseconds <= 0) return false;
    if (time_.absolute) {
      arm_at(timer_, time_.nanoseconds);
    } else {
      (void)arm(timer_, time_.nanoseconds);
    }
    return true;
  }
  void withdraw() noexcept { disarm(timer_); }
  [[nodiscard]] link id() noexcept { return timer_.id(); }
  static void take() noexcept {}

 private:
  select_alarm timer_;
  sleep_request time_;
};

/// What all selects have in common.
class select_wait : public select_core {
 public:
  select_wait() noexcept {
    give_up = [](wait_node& self) noexcept {
      auto& core = static_cast<select_wait&>(self);
      if (core.claim(to_link(&self))) core.wake_here(wait_kind::ready_cancelled);
    };
  }

  /// What await_suspend returns. `locks` has room for the lock of each arm. `first` is the arm that is tried first.
  template <class Arms>
  [[nodiscard]] bool suspend(wait_state& task, Arms& arms, brief_lock** locks, std::size_t first) {
    {
      select_wakes woken;
      held_locks held(locks);
      trial outcome = arms.size() <= most_tried_while_locking ? lock_and_try(arms, first, held, woken) : trial::blocked;
      if (outcome == trial::blocked) [[unlikely]]
        outcome = lock_then_try(arms, first, held, woken);
      if (outcome == trial::all_wait) {
        if (const auto refused = refuse_if_cancelled(task)) return *refused;
        begin(task);
        if (enqueue_all(arms)) return true;
        end();
      }
    }
    return current_shard->end_at_once(task);
  }

  /// Call this first in await_resume. It removes the other arms from their queues. Throws `cancelled`.
  template <class Arms>
  void finish(Arms& arms) {
    const bool was_cancelled = current_shard->take_cancelled();
    const link winner = claimed.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < arms.size(); ++i) {
      arms.visit(i, [&](auto& arm) noexcept {
        if (arm.id() != winner) arm.withdraw();
      });
    }
    if (was_cancelled) throw_cancelled();
  }

 private:
  /// Locks of the arms. To wait for a lock while holding others, it must have the highest address of them; other locks
  /// are only tried. Nobody else waits for one of these locks while holding another, so a deadlock is impossible: the
  /// only other code that holds two locks, that of condition_variable, takes one that is never among these, and then
  /// that of a mutex.
  class held_locks {
   public:
    explicit held_locks(brief_lock** room) noexcept : locks_(room) {}
    held_locks(const held_locks&) = delete;
    held_locks& operator=(const held_locks&) = delete;
    ~held_locks() { unlock_all(); }

    /// False if somebody else holds the lock, and the order does not permit waiting for it.
    [[nodiscard]] bool add(brief_lock* lock) noexcept {
      if (lock == nullptr) return true;
      if (count_ != 0 && !std::less<>()(highest_, lock)) return add_lower(lock);
      lock->lock();
      highest_ = lock;
      locks_[count_++] = lock;
      return true;
    }
    /// Waits for the locks of all arms, after releasing those that are held.
    template <class Arms>
    void lock_all(Arms& arms) noexcept {
      unlock_all();
      for (std::size_t i = 0; i < arms.size(); ++i) {
        arms.visit(i, [&](auto& arm) noexcept {
          if (brief_lock* lock = arm.lock(); lock != nullptr) locks_[count_++] = lock;
        });
      }
      lock_in_order();
    }

   private:
    void unlock_all() noexcept {
      while (count_ > 0) locks_[--count_]->unlock();
    }
    [[nodiscard]] bool add_lower(brief_lock* lock) noexcept;
    void lock_in_order() noexcept;

    brief_lock** locks_;
    std::size_t count_ = 0;
    brief_lock* highest_ = nullptr;  ///< if any is held
  };

  enum class trial : std::uint8_t {
    completed,  ///< one of the arms
    all_wait,   ///< none can be completed; all locks are held
    blocked,    ///< somebody else holds a lock
  };
  /// With more arms, looking for each lock among those that are held takes longer than sorting them.
  static constexpr std::size_t most_tried_while_locking = 8;

  [[noreturn]] static void throw_cancelled();

  template <class Arm>
  [[nodiscard]] bool try_arm(Arm& arm, select_wakes& woken) {
    if (!arm.try_now(woken)) return false;
    claimed.store(arm.id(), std::memory_order_release);
    return true;
  }
  /// Tries each arm as soon as it has its lock, so that an arm that can be completed costs no lock of a later one.
  template <class Arms>
  [[nodiscard]] trial lock_and_try(Arms& arms, std::size_t first, held_locks& held, select_wakes& woken) {
    trial outcome = trial::all_wait;
    for (std::size_t i = 0; i < arms.size() && outcome == trial::all_wait; ++i) {
      arms.visit(nth_from(first, i, arms.size()), [&](auto& arm) __attribute__((always_inline)) {
        if (!held.add(arm.lock())) [[unlikely]] {
          outcome = trial::blocked;
        } else if (try_arm(arm, woken)) {
          outcome = trial::completed;
        }
      });
    }
    return outcome;
  }
  template <class Arms>
  [[nodiscard]] trial lock_then_try(Arms& arms, std::size_t first, held_locks& held, select_wakes& woken) {
    held.lock_all(arms);
    bool done = false;
    for (std::size_t i = 0; i < arms.size() && !done; ++i) {
      arms.visit(nth_from(first, i, arms.size()), [&](auto& arm) { done = try_arm(arm, woken); });
    }
    return done ? trial::completed : trial::all_wait;
  }
  [[nodiscard]] static std::size_t nth_from(std::size_t first, std::size_t n, std::size_t size) noexcept {
    return first + n < size ? first + n : first + n - size;
  }
  /// False if an arm has been completed instead.
  template <class Arms>
  [[nodiscard]] bool enqueue_all(Arms& arms) noexcept {
    for (std::size_t i = 0; i < arms.size(); ++i) {
      bool queued = true;
      arms.visit(i, [&](auto& arm) noexcept {
        queued = arm.enqueue(*this);
        // The arms before it remain in their queues, where others skip them, until the task resumes.
        if (!queued) claimed.store(arm.id(), std::memory_order_release);
      });
      if (!queued) return false;
    }
    return true;
  }
};

}  // namespace tare::detail
