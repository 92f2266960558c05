#include "sched/shard.hpp"

#include "frame/arena.hpp"
#include "sched/root.hpp"
#include "sched/runtime_core.hpp"
#include "sched/shard_meter.hpp"
#include "sched/visit.hpp"

#include <tare/detail/branch.hpp>
#include <tare/detail/scope_core.hpp>
#include <tare/detail/timer_node.hpp>
#include <tare/error.hpp>

#include <pthread.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <new>
#include <optional>
#include <thread>
#include <utility>

namespace tare::detail {

constinit thread_local shard_state* current_shard = nullptr;

void shard_state::rethrow() { std::rethrow_exception(std::exchange(in_flight, nullptr)); }

void shard_state::throw_cancelled() { throw cancelled(); }

bool shard_state::refuse(wait_state& task) noexcept {
  if (--budget < 0) {
    make_ready(task, wait_kind::ready_cancelled);
    return true;
  }
  refuse_await();
  return false;
}

namespace {

// Number of tasks that run between two checks of the clock and the mailbox.
constexpr int tasks_per_turn = 64;
// The same for sleepers that are woken or moved within the wheel: half a millisecond if none of them is in the cache.
constexpr std::size_t timers_per_turn = 4096;
// Number of steps (children started, waits that ended immediately) that a task may take before others get their turn.
constexpr std::int32_t steps_per_task = 128;

void prefetch_scope_slot(link slots) noexcept {
  constexpr std::size_t chunk_units = 512 / link_unit;  // most chunks of a scope, whose header comes first
  __builtin_prefetch(from_link<void>(slots));
  __builtin_prefetch(from_link<void>(static_cast<link>(slots & ~(chunk_units - 1))));
}

void cancel_if_detached(wait_state& leaf) noexcept {
  wait_state& root = root_of(leaf);
  if (root.kind_of_parent() == parent_kind::frame) cancel(root);
}

}  // namespace

shard::shard(runtime_core& runtime, shard_id number)
    : runtime_(runtime),
      number_(number),
      heap_(arena::instance().acquire_heap()),
      clock_(runtime.simulated_time()),
      timers_(tick_of(clock_.now())) {
  heap_.charge_to(&runtime.ceiling());
  heap_.unlock();
}

shard::~shard() {
  // A thread that has delivered a message may still be in `post`, although the receiving task has ended.
  while (guests_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  io = nullptr;
  driver_.reset();  // it holds memory of the heap
  arena::instance().release_heap(heap_);
}

constinit thread_local shard::occupation* shard::occupation::innermost = nullptr;

shard::occupation::occupation(shard& by) noexcept
    : shard_(by),
      outer_(innermost),
      outer_shard_(current_shard),
      outer_heap_(current_heap),
      outer_shelves_(current_shelves) {
  by.heap_.lock();
  by.heap_.owned_by(&by);
  innermost = this;
  current_shard = &by;
  current_heap = &by.heap_;
  if (!poisoning && heap::gate == nullptr) current_shelves = &by.heap_.shelves();
}

shard::occupation::~occupation() {
  innermost = outer_;
  current_shard = outer_shard_;
  current_heap = outer_heap_;
  current_shelves = outer_shelves_;
  shard_.heap_.owned_by(nullptr);
  shard_.heap_.unlock();
}

bool shard::occupation::is_inside(const runtime_core& runtime) noexcept {
  for (const occupation* at = innermost; at != nullptr; at = at->outer_) {
    if (&at->shard_.runtime_ == &runtime) return true;
  }
  return false;
}

void shard::forget_after_fork() {
  static const int registered = ::pthread_atfork(nullptr, nullptr, [] {
    current_shard = nullptr;
    occupation::innermost = nullptr;
  });
  if (registered != 0) throw std::bad_alloc();
}

void shard::take_last_messages() noexcept {
  for (link next = oldest_first(mailbox_.take_all()); next != no_link;) {
    auto& mail = *from_link<wait_state>(next);
    next = mail.next;
    if (mail.kind() == wait_kind::fresh) {
      handle_of(mail).destroy();
      continue;
    }
    assert(mail.kind() == wait_kind::mail_cancel);
    visit::receive(mail);
  }
}

void shard::post(wait_state& mail) noexcept {
  if (belongs_here(current_shard)) {
    if (mailbox_.push(&mail)) notify();
    return;
  }
  // Once the mail is in the mailbox, the task may end, and with it the runtime. The runtime's own shards and the
  // destructor's thread live long enough; any other thread must register as a guest.
  guests_.fetch_add(1, std::memory_order_relaxed);
  if (mailbox_.push(&mail)) notify();
  guests_.fetch_sub(1, std::memory_order_release);
}

bool shard::belongs_here(const shard_state* poster) const noexcept {
  return poster != nullptr && &static_cast<const shard*>(poster)->runtime_ == &runtime_;
}

void shard::notify() noexcept {
  if (virtual_time* simulated = runtime_.simulated_time(); simulated != nullptr) {
    simulated->notify(number_);
  } else {
    parker_.unpark_by([this] {
      if (waker* const in = woken_by_.load(std::memory_order_acquire); in != nullptr) {
        in->wake();
      } else {
        parker_.rouse();
      }
    });
  }
}

void shard::install(std::unique_ptr<driver> installed) noexcept {
  driver_ = std::move(installed);
  io = driver_.get();
  woken_by_.store(driver_.get(), std::memory_order_release);
}

bool shard::turn() noexcept {
  if (!mailbox_.empty()) take_mail();
  if (io != nullptr && !std::exchange(events_taken_, false)) io->poll();
  if (heap_.has_to_collect()) heap_.collect();
  if (heap_.has_to_trim()) heap_.trim();
  bool more_timers = false;
  if (!timers_.idle()) {
    // Those that have expired run first, while they are in the cache.
    more_timers = (expired_to_run_ > 0 && !ready.empty()) || expire_timers();
  }
  if (runtime_.stopping() && !cancelled_detached_) {
    cancelled_detached_ = true;
    cancel_detached();
    // Tasks that ended before this shard noticed the shutdown did not check.
    runtime_.check_stopped();
  }
  run_ready();
  return !ready.empty() || !mailbox_.empty() || more_timers;
}

void shard::run_ready() noexcept {
  expired_to_run_ -= tasks_per_turn;
  if (shard_meter* const meter = meter_.load(std::memory_order_acquire); meter != nullptr) [[unlikely]] {
    run_ready_measured(*meter);
    return;
  }
  for (int ran = 0; ran < tasks_per_turn && !ready.empty(); ++ran) resume(ready.pop());
}

void shard::run_ready_measured(shard_meter& meter) noexcept {
  if (ready.empty()) return;
  meter.round_begins(ready);
  for (int ran = 0; ran < tasks_per_turn && !ready.empty(); ++ran) {
    wait_state& task = ready.pop();
    meter.slice_begins(task);
    resume(task);
  }
  meter.slices_end();
}

void shard::resume(wait_state& task) noexcept {
  const wait_kind how = task.kind();
  if (how == wait_kind::fresh && task.cancelled) [[unlikely]] {
    // It has done nothing that must be undone.
    end_root(task, std::make_exception_ptr(cancelled()));
    return;
  }
  budget = steps_per_task;
  begin_slice(how == wait_kind::ready_cancelled);
  if (how == wait_kind::ready_io && !io->complete(task)) return;
  if (how == wait_kind::ready_failed && io != nullptr) io->fail_call(static_cast<int>(task.prev));
  task.set_kind(wait_kind::none);
  if (observer != nullptr) [[unlikely]] {
    resume_observed(task);
  } else {
    handle_of(task).resume();
  }
}

void shard::take_mail() noexcept {
  link next = oldest_first(mailbox_.take_all());
  while (next != no_link) {
    auto& mail = *from_link<wait_state>(next);
    next = mail.next;
    switch (mail.kind()) {
      case wait_kind::node:
        from_link<wait_node>(mail.prev)->wake_here(wait_kind::ready);
        break;
      case wait_kind::fresh:
        if (runtime_.stopping()) mail.cancelled = 1;
        ready.push(mail);
        break;
      case wait_kind::mail_cancel:
      case wait_kind::mail_ended:
        visit::receive(mail);
        break;
      case wait_kind::mail_cancel_scope:
        scope_core::receive_cancel(mail);
        break;
      default:
        // It was in transit when the tasks on this shard were cancelled.
        if (runtime_.stopping()) cancel_if_detached(mail);
        ready.push(mail);
        break;
    }
  }
}

bool shard::expire_timers() noexcept {
  const arena& memory = arena::instance();
  const auto expire = [this, &memory](wait_state& entry) {
    // It soon ends or goes on sleeping; with millions of them, nothing of this is in the cache.
    __builtin_prefetch(memory.slab_of(&entry));
    if (entry.kind_of_parent() == parent_kind::scope) prefetch_scope_slot(entry.parent);
    if (entry.kind_of_parent() == parent_kind::timer) {
      auto& timer = static_cast<timer_node&>(entry);
      timer.expired(timer);
    } else {
      make_ready(entry, wait_kind::ready);
    }
  };
  const std::int64_t present = clock_.now();
  if (shard_meter* const meter = meter_.load(std::memory_order_acquire); meter != nullptr) [[unlikely]] {
    const std::optional<std::int64_t> due = next_timer();
    if (due && *due <= present) meter->timers_expired(present - *due);
  }
  const bool more = timers_.advance(tick_of(present), expire, timers_per_turn);
  expired_to_run_ = more ? static_cast<std::int64_t>(timers_per_turn) : 0;
  return more;
}

void shard::sleep(wait_state& task, std::int64_t nanoseconds, bool absolute) noexcept {
  std::int64_t deadline = nanoseconds;
  if (!absolute) {
    if (nanoseconds == 0) {
      make_ready(task, wait_kind::ready);
      return;
    }
    deadline = deadline_after(clock_.not_before(), nanoseconds);
  } else if (nanoseconds > end_of_time) {
    deadline = deadline_after(clock_.now(), nanoseconds);  // which is later
  }
  timers_.insert(task, tick_at_or_after(deadline));
}

void shard::start_detached(wait_state& task) noexcept {
  started_.store(started_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (runtime_.stopping()) [[unlikely]]
    task.cancelled = 1;
  begin_root(task);
}

void shard::end_root(wait_state& task, std::exception_ptr error) noexcept {
  if (observed_ == &task) observed_ = nullptr;
  const link self = to_link(&task);
  const link parent = task.parent;
  const parent_kind kind = task.kind_of_parent();
  handle_of(task).destroy();
  count_root(-1);
  if (kind != parent_kind::frame) {
    tell_parent(parent, kind, self, std::move(error));
    return;
  }
  if (error && !is_cancellation(error)) runtime_.unhandled(std::move(error));
  ended_.store(ended_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  if (runtime_.stopping()) runtime_.check_stopped();
}

void shard::tell_parent(link parent, parent_kind kind, link self, std::exception_ptr error) noexcept {
  if (kind == parent_kind::scope) {
    if (error && is_cancellation(error)) error = nullptr;
    scope_core::task_ended(parent, self, std::move(error));
  } else {
    from_link<branch>(parent)->ended(*from_link<branch>(parent), std::move(error));
  }
}

void shard::cancel_detached() noexcept {
  // Every suspended task can be found by its leaf: queued, asleep, or waiting on a node.
  for (link at = ready.head(); at != no_link; at = from_link<wait_state>(at)->next) {
    cancel_if_detached(*from_link<wait_state>(at));
  }
  timers_.for_each([](wait_state& entry) {
    if (entry.kind_of_parent() != parent_kind::timer) cancel_if_detached(entry);
  });
  for (link at = nodes; at != no_link;) {
    wait_node& node = *from_link<wait_node>(at);
    at = node.next_of_shard;
    cancel_if_detached(*from_link<wait_state>(node.owner));
  }
  if (io != nullptr) io->for_each_waiting(&cancel_if_detached);
}

void shard::move_away(wait_state& leaf, shard& target) {
  observed_ = nullptr;
  wait_state& root = root_of(leaf);
  leaf.set_kind(wait_kind::ready);
  if (root.kind_of_parent() == parent_kind::frame) {
    count_root(-1);
    target.count_arrival();
    target.post(leaf);
    return;
  }
  visit* moving = visit::of(root);
  if (moving == nullptr) moving = &visit::begin(root);
  count_root(-1);
  target.count_arrival();
  moving->move(leaf, target);
}

void wake(wait_node& node) noexcept {
  wait_state& task = *from_link<wait_state>(node.owner);
  if (node.home == current_shard) {
    from_link<wait_node>(task.prev)->wake_here(wait_kind::ready);  // which is not `node` in a select
  } else {
    static_cast<shard*>(node.home)->post(task);
  }
}

bool sleep_begin(wait_state& task) noexcept {
  shard& here = shard::current();
  if (task.cancelled) [[unlikely]]
    return here.refuse(task);
  const auto bits = static_cast<std::uint64_t>(task.next) | (std::uint64_t{task.prev} << 32U);
  here.sleep(task, static_cast<std::int64_t>(bits), task.kind() == wait_kind::ready);
  return true;
}

std::coroutine_handle<> end_root(wait_state& task) noexcept {
  shard& here = shard::current();
  here.end_root(task, std::exchange(here.in_flight, nullptr));
  return std::noop_coroutine();
}

}  // namespace tare::detail
