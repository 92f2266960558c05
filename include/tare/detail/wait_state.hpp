#pragma once

// The state of a suspended task: 15 bytes, at a fixed offset in every frame.
//
// The compiler's ABI uses the first 16 bytes of a frame for the resume and destroy pointers; the promise follows. Our
// promise consists only of this structure, so the smallest frame is 16 + 15 + 1 (the compiler's suspend index) = 32
// bytes, and everything that a suspended task needs shares these 15:
//
//   next, prev   where it is queued: run queue, mailbox, timer wheel; or which child or node it waits for
//   parent       notified when it ends: the awaiting frame, a slot of its scope, a branch of a combinator
//   tick         asleep: the low bits of the deadline (src/timer/wheel.hpp); otherwise what it waits for
//
// A wait state belongs to the shard on which its task runs: only that thread reads or writes it. The one exception is
// `next`: a thread that wakes the task from another shard uses it to put the task into the shard's mailbox.

#include <tare/detail/link.hpp>

#include <coroutine>
#include <cstdint>

namespace tare::detail {

/// What a task is doing while it is not asleep in the timer wheel.
enum class wait_kind : std::uint8_t {
  none,               ///< running, or created and not yet started
  delivered,          ///< running: it has constructed its result and is destroying its locals
  fresh,              ///< queued for its first step
  ready,              ///< queued; what it waited for is complete
  ready_cancelled,    ///< queued; its wait was ended by cancellation
  child,              ///< awaiting the child frame in `prev`
  shielded_child,     ///< the same, but cancellation stops here
  node,               ///< awaiting the wait_node in `prev`
  io,                 ///< waiting for a descriptor, whose slot is `prev` (src/sched/driver.hpp)
  ready_io,           ///< queued; the descriptor is ready, and the call on it has yet to be made
  ready_failed,       ///< queued; the call has failed with the error in `prev`
  away,               ///< a stand-in for a task that may be on another shard (src/sched/visit.hpp)
  mail_cancel,        ///< a message in a mailbox: cancel the task of the visit in `parent`
  mail_ended,         ///< a message in a mailbox: the task of the visit in `parent` has ended
  mail_cancel_scope,  ///< a message in a mailbox: cancel the tasks of the scope in `parent`
};

/// What `parent` points to.
enum class parent_kind : std::uint8_t {
  frame,   ///< the wait state of the awaiting frame, or none for a detached task
  scope,   ///< the pair of scope slots one of which names this task (scope_core.hpp)
  branch,  ///< a `branch`
  timer,   ///< nothing: this is a `timer_node`, not a frame
};

/// The two links of a node in a circular doubly linked list in the arena. The sentinels of the timer wheel are nodes of
/// this type.
struct [[gnu::packed]] list_links {
  link next = no_link;
  link prev = no_link;
};
static_assert(sizeof(list_links) == 8);

struct [[gnu::packed]] wait_state : list_links {
  link parent = no_link;
  // Uses whole bytes where possible, because every await reads and writes it.
  std::uint8_t kind_or_tick = 0;  ///< a wait_kind; asleep: the lowest bits of the tick
  std::uint8_t tick_middle = 0;
  std::uint8_t tick_high : 4 = 0;
  std::uint8_t asleep : 1 = 0;
  std::uint8_t cancelled : 1 = 0;  ///< sticky: every later suspension of this task throws `cancelled`
  std::uint8_t parent_is : 2 = 0;

  [[nodiscard]] wait_kind kind() const noexcept { return static_cast<wait_kind>(kind_or_tick); }
  void set_kind(wait_kind kind) noexcept { kind_or_tick = static_cast<std::uint8_t>(kind); }

  /// 20 bits, while the task is asleep.
  [[nodiscard]] std::uint32_t tick() const noexcept {
    return kind_or_tick | std::uint32_t{tick_middle} << 8U | std::uint32_t{tick_high} << 16U;
  }
  void set_tick(std::uint32_t tick) noexcept {
    kind_or_tick = static_cast<std::uint8_t>(tick);
    tick_middle = static_cast<std::uint8_t>(tick >> 8U);
    tick_high = static_cast<std::uint8_t>(tick >> 16U) & 0xFU;
  }

  // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.UndefReturn): it does not see that a promise is constructed
  [[nodiscard]] parent_kind kind_of_parent() const noexcept { return static_cast<parent_kind>(parent_is); }
  void set_parent(parent_kind kind, link to) noexcept {
    parent = to;
    parent_is = static_cast<std::uint8_t>(kind) & 3U;
  }
};
static_assert(sizeof(wait_state) == 15 && alignof(wait_state) == 1);

inline constexpr unsigned stored_tick_bits = 20;

/// Bytes between the start of a frame and its promise, which begins with the wait state (the coroutine ABI of both
/// compilers for promises aligned to 16 bytes or less).
inline constexpr std::size_t promise_offset = 2 * sizeof(void*);

[[nodiscard]] inline std::coroutine_handle<> handle_of(wait_state& state) noexcept {
  return std::coroutine_handle<>::from_address(reinterpret_cast<std::byte*>(&state) - promise_offset);
}

}  // namespace tare::detail
