#include "io/reactor.hpp"

#include "io/system.hpp"
#include "sched/runtime_core.hpp"
#include "sched/shard.hpp"
#include "sched/usage.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/detail/select_io_arm.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <utility>

namespace tare::detail {

namespace {

/// The direction in which the task waits for the slot.
[[nodiscard]] io_direction direction_of_wait(const io_slot& slot, const wait_state& task) noexcept {
  const bool reads = slot.reader != no_link && from_link<io_wait>(slot.reader)->owner == to_link(&task);
  return reads ? io_direction::read : io_direction::write;
}

[[nodiscard]] std::unique_ptr<poller> make_poller(reactor& reports_to, io_kind kind) {
  return kind == io_kind::epoll ? make_epoll_poller(reports_to) : make_uring_poller(reports_to);
}

}  // namespace

std::expected<reactor*, std::error_code> reactor::here() noexcept {
  if (current_shard == nullptr) called_outside_of_a_task("a socket", "which is where sockets are made");
  if (current_shard->io == nullptr) {
    shard& mine = shard::current();
    try {
      mine.install(std::make_unique<reactor>(mine));
    } catch (const std::system_error& error) {
      return std::unexpected(error.code());
    } catch (const std::bad_alloc&) {
      return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
    }
  }
  return static_cast<reactor*>(current_shard->io);
}

reactor* reactor::if_any() noexcept {
  return current_shard == nullptr ? nullptr : static_cast<reactor*>(current_shard->io);
}

reactor::reactor(shard& of)
    : shard_(of),
      poller_(make_poller(*this, of.runtime().io())),
      slots_(*this),
      deadlines_(*this),
      accept_pause_(*this) {}

reactor::~reactor() {
  const std::scoped_lock guard(slot_table::owners_lock());
  close_orphans();
  // The poller's requests end with it, so nothing references the slots of closed descriptors any more.
  poller_.reset();
  slots_.for_each([this](io_slot& slot) {
    slot.clear(io_armed);
    free_if_unused(slot);
  });
  slots_.disown();
}

void reactor::poll() noexcept {
  if (has_orphans_.load(std::memory_order_acquire)) [[unlikely]]
    close_orphans();
  poller_->wait(std::chrono::nanoseconds(0));
}

heap& reactor::frames() noexcept { return shard_.frames(); }

void reactor::wait(std::optional<std::chrono::nanoseconds> longest) noexcept {
  if (has_orphans_.load(std::memory_order_acquire)) [[unlikely]]
    close_orphans();
  poller_->wait(longest);
}

void reactor::on_event(io_slot& slot, std::uint32_t events) noexcept {
  if (slot.has(io_abandoned)) return;
  if ((events & (event_in | event_error | event_hang_up | event_peer_closed)) != 0) slot.set(io_readable);
  if ((events & (event_error | event_hang_up | event_peer_closed)) != 0) slot.set(io_ended);
  if ((events & (event_out | event_error | event_hang_up)) != 0) slot.set(io_writable);
  if (slot.has(io_readable)) queue(slot, io_direction::read);
  if (slot.has(io_writable)) queue(slot, io_direction::write);
  if (slot.has(io_foreign)) {
    // Announced once, perhaps for one of two waiting tasks. A failure appears as readiness.
    slot.clear(io_announced);
    if (watch_foreign(slot)) {
      slot.set(io_readable | io_writable);
      queue_if_waiting(slot);
    }
  }
}

void reactor::on_disarmed(io_slot& slot) noexcept {
  slot.clear(io_armed);
  free_if_unused(slot);
}

void reactor::on_failure(io_slot& slot) noexcept {
  slot.set(io_failed);
  // The calls that are then tried report the error.
  on_event(slot, event_error);
}

void reactor::queue(io_slot& slot, io_direction in) noexcept {
  const link waiting = slot.waiting(in);
  if (waiting == no_link) return;
  auto& wait = *from_link<io_wait>(waiting);
  if (wait.owner == no_link) {
    if (is_io_arm(slot.call(in))) {
      static_cast<io_arm&>(wait).end_wait();
    } else if (!slot.has(io_abandoned)) {
      (void)attempt_(wait, slot, in);
    }
    return;
  }
  auto& task = *from_link<wait_state>(wait.owner);
  if (task.kind() == wait_kind::io) shard_.make_ready(task, wait_kind::ready_io);
}

void reactor::queue_if_waiting(io_slot& slot) noexcept {
  queue(slot, io_direction::read);
  queue(slot, io_direction::write);
}

bool reactor::wait_without_task(io_wait& wait, io_call call) noexcept {
  auto& slot = *from_link<io_slot>(wait.slot);
  const io_direction in = direction_of(call);
  link& waiting = slot.waiting(in);
  if (waiting == to_link(&wait)) return true;
  if (waiting != no_link || watch(slot) != 0) return false;
  wait.owner = no_link;
  waiting = to_link(&wait);
  slot.set_call(in, call);
  return true;
}

int reactor::watch(io_slot& slot) noexcept {
  if (slot.has(io_watched)) return 0;
  if (const std::error_code error = poller_->watch(slot)) return error.value();
  slot.set(io_watched);
  return 0;
}

void reactor::end_wait_without_task(io_wait& wait, io_direction in) noexcept {
  if (wait.slot == no_link) return;
  auto& slot = *from_link<io_slot>(wait.slot);
  if (slot.waiting(in) == to_link(&wait)) detach(slot, slot.waiting(in));
}

bool reactor::complete(wait_state& task) noexcept {
  auto& slot = *from_link<io_slot>(task.prev);
  const io_direction in = direction_of_wait(slot, task);
  link& waiting = slot.waiting(in);
  io_wait& wait = *from_link<io_wait>(waiting);
  if (!perform(slot, slot.call(in), wait)) {
    if (!task.cancelled) {
      // An attempt that has stopped early gets another turn, because no event will follow.
      if (slot.call(in) == io_call::attempt_read && slot.has(io_readable)) {
        shard_.make_ready(task, wait_kind::ready_io);
      } else {
        task.set_kind(wait_kind::io);
      }
      return false;
    }
    shard_.refuse_await();
  }
  detach(slot, waiting);
  return true;
}

void reactor::give_up(wait_state& task) noexcept {
  auto& slot = *from_link<io_slot>(task.prev);
  detach(slot, slot.waiting(direction_of_wait(slot, task)));
  shard_.make_ready(task, wait_kind::ready_cancelled);
}

void reactor::for_each_waiting(void (*visit)(wait_state& task)) noexcept {
  slots_.for_each([visit](io_slot& slot) {
    // Both are looked up before the first visit, because the slot may be freed after it.
    const std::array<link, 2> waiting{slot.reader, slot.writer};
    for (const link each : waiting) {
      if (each == no_link || from_link<io_wait>(each)->owner == no_link) continue;
      auto& task = *from_link<wait_state>(from_link<io_wait>(each)->owner);
      if (task.kind() == wait_kind::io) visit(task);
    }
  });
}

bool reactor::is_awaited() noexcept {
  bool found = false;
  const auto has_task = [](io_slot& slot, io_direction in) {
    const link waiting = slot.waiting(in);
    return waiting != no_link && (from_link<io_wait>(waiting)->owner != no_link || is_io_arm(slot.call(in)));
  };
  slots_.for_each([&](io_slot& slot) {
    found = found || has_task(slot, io_direction::read) || has_task(slot, io_direction::write);
  });
  return found;
}

void reactor::detach(io_slot& slot, link& waiting) noexcept {
  waiting = no_link;
  if (slot.has(io_foreign) && slot.reader == no_link && slot.writer == no_link) {
    foreign_.erase(slot.fd);
    poller_->unwatch(slot);
    slot.set(io_abandoned);
  }
  free_if_unused(slot);
}

void reactor::free_if_unused(io_slot& slot) noexcept {
  if (!slot.has(io_abandoned) || slot.has(io_armed) || slot.reader != no_link || slot.writer != no_link) return;
  slots_.give_back(slot);
}

io_slot* reactor::adopt(int fd) noexcept {
  io_slot* slot = slots_.take(fd);
  // A new socket accepts bytes; whether it has received some, the kernel reports at the first wait.
  if (slot != nullptr) slot->set(io_writable);
  return slot;
}

io_slot* reactor::adopt_listener(int fd) noexcept { return accept_pause_.reserve() ? adopt(fd) : nullptr; }

int reactor::release(io_slot& slot) noexcept {
  if (slot.has(io_watched)) poller_->unwatch(slot);
  accept_pause_.forget(slot);
  const int fd = std::exchange(slot.fd, -1);
  slot.read_deadline = 0;
  slot.write_deadline = 0;
  slot.set(io_abandoned);
  for (const io_direction in : {io_direction::read, io_direction::write}) {
    link& waiting = slot.waiting(in);
    if (waiting == no_link || from_link<io_wait>(waiting)->owner != no_link || is_io_arm(slot.call(in))) continue;
    waiting = no_link;
  }
  queue_if_waiting(slot);
  free_if_unused(slot);
  return fd;
}

void reactor::close(io_slot& slot) noexcept {
  (void)system::close(release(slot));
  accept_pause_.end();
}

void reactor::close_from_elsewhere(io_slot& slot) noexcept {
  (void)::shutdown(slot.fd, SHUT_RDWR);
  std::atomic_ref(slot.orphaned).store(1, std::memory_order_relaxed);
  has_orphans_.store(true, std::memory_order_release);
  shard_.notify();
}

void reactor::close_orphans() noexcept {
  has_orphans_.store(false, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_acquire);
  slots_.for_each([this](io_slot& slot) {
    if (std::atomic_ref(slot.orphaned).exchange(0, std::memory_order_relaxed) != 0) close(slot);
  });
}

bool reactor::fail(int error) noexcept {
  outcome_.error = error;
  return true;
}

/// For `suspend`: the call has failed without waiting. It still counts as a step: if none is left, the task waits for
/// its turn.
bool reactor::fail_at_once(wait_state& task, int error) noexcept {
  if (shard_.budget >= 0) {
    (void)fail(error);
    return false;
  }
  task.prev = static_cast<link>(error);
  shard_.make_ready(task, wait_kind::ready_failed);
  return true;
}

bool reactor::try_call(io_wait& wait, io_call call) noexcept {
  if (--shard_.budget < 0) return false;
  if (wait.slot == no_link) return fail(EBADF);
  auto& slot = *from_link<io_slot>(wait.slot);
  assert(slot_table::owner_of(slot) == this && "a stream is used on its own shard");
  const io_direction in = direction_of(call);
  if (slot.waiting(in) != no_link) return fail(EBUSY);
  if (!slot.has(ready_flag(in) | expired_flag(in))) return false;
  return perform(slot, call, wait);
}

bool reactor::suspend(io_wait& wait, io_call call, wait_state& task) noexcept {
  if (task.cancelled) return shard_.refuse(task);
  if (wait.slot == no_link) return fail_at_once(task, EBADF);
  auto& slot = *from_link<io_slot>(wait.slot);
  const io_direction in = direction_of(call);
  link& waiting = slot.waiting(in);
  if (waiting != no_link) return fail_at_once(task, EBUSY);
  const bool at_once = slot.has(ready_flag(in) | expired_flag(in));  // out of steps
  if (!at_once) {
    if (const int error = watch(slot); error != 0) return fail_at_once(task, error);
  }
  wait.owner = to_link(&task);
  waiting = to_link(&wait);
  slot.set_call(in, call);
  task.prev = wait.slot;
  if (at_once) {
    shard_.make_ready(task, wait_kind::ready_io);
  } else {
    task.set_kind(wait_kind::io);
  }
  return true;
}

bool reactor::may_have_input(io_slot& slot) noexcept {
  if (watch(slot) != 0) return true;  // it cannot be watched, so the call itself must find out
  return slot.has(io_readable);
}

bool reactor::suspend_foreign(io_wait& wait, int fd, io_call call, wait_state& task) noexcept {
  if (task.cancelled) return shard_.refuse(task);
  --shard_.budget;
  io_slot* slot = nullptr;
  try {
    link& known = foreign_[fd];
    if (known == no_link) {
      slot = slots_.take(fd);
      if (slot == nullptr) {
        foreign_.erase(fd);
        throw std::bad_alloc();
      }
      slot->set(io_foreign);
      known = to_link(slot);
    }
    slot = from_link<io_slot>(known);
  } catch (const std::bad_alloc&) {
    return fail_at_once(task, ENOMEM);
  }
  const io_direction in = direction_of(call);
  link& waiting = slot->waiting(in);
  if (waiting != no_link) return fail_at_once(task, EBUSY);
  slot->clear(ready_flag(in));
  wait.slot = to_link(slot);
  wait.owner = to_link(&task);
  waiting = to_link(&wait);
  slot->set_call(in, call);
  task.prev = wait.slot;
  task.set_kind(wait_kind::io);
  slot->clear(io_announced);
  if (const std::error_code error = watch_foreign(*slot)) {
    detach(*slot, waiting);
    task.set_kind(wait_kind::none);
    // A descriptor that epoll cannot watch (EPERM) is a file, which is always ready.
    return fail_at_once(task, error.value() == EPERM ? 0 : error.value());
  }
  return true;
}

std::error_code reactor::watch_foreign(io_slot& slot) noexcept {
  std::uint32_t events = 0;
  if (slot.reader != no_link && !slot.has(io_readable)) events |= event_in;
  if (slot.writer != no_link && !slot.has(io_writable)) events |= event_out;
  if (events == 0 || slot.has(io_announced)) return {};
  slot.set(io_announced);
  return poller_->watch_once(slot, events);
}

// --- from awaiters --------------------------------------------------------------------------------------------------

bool io_try(io_wait& wait, io_call call) noexcept {
  if (reactor* const here = reactor::if_any(); here != nullptr) return here->try_call(wait, call);
  return --current_shard->budget >= 0;  // without a reactor there is no slot, and so no stream
}

bool io_suspend(io_wait& wait, io_call call, wait_state& task) noexcept {
  if (reactor* const here = reactor::if_any(); here != nullptr) return here->suspend(wait, call, task);
  if (task.cancelled) return current_shard->refuse(task);
  task.prev = EBADF;
  current_shard->make_ready(task, wait_kind::ready_failed);
  return true;
}

}  // namespace tare::detail
