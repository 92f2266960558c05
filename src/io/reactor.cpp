#include "io/reactor.hpp"

#include "io/system.hpp"
#include "sched/runtime_core.hpp"
#include "sched/shard.hpp"
#include "sched/usage.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/timeout.hpp>

#include <sys/uio.h>

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

[[nodiscard]] bool is_read(io_call call) noexcept { return call < io_call::writable; }

/// What accept(2) reports about the connection that went wrong, not about the listener.
[[nodiscard]] bool is_about_the_peer(int error) noexcept {
  switch (error) {
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EPERM:
    case EINTR:
      return true;
    default:
      return false;
  }
}

[[nodiscard]] bool is_exhaustion(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
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
      timers_(::new (allocate_record(sizeof(timers))) timers) {
  timers_->deadlines.of = this;
  timers_->deadlines.expired = [](timer_node& self) noexcept {
    static_cast<reactor_timer&>(self).of->sweep_deadlines();
  };
  timers_->accepting.of = this;
  timers_->accepting.expired = [](timer_node& self) noexcept {
    static_cast<reactor_timer&>(self).of->resume_accepting();
  };
}

reactor::~reactor() {
  const std::scoped_lock guard(slot_table::owners_lock());
  close_orphans();
  disarm(timers_->deadlines);
  disarm(timers_->accepting);
  std::destroy_at(timers_);
  free_record(timers_);
  // With the poller its requests end, so nothing holds the slots of closed descriptors any more.
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
  if (slot.has(io_readable)) queue(slot.reader);
  if (slot.has(io_writable)) queue(slot.writer);
  if (slot.has(io_foreign)) {
    // Announced once, perhaps for one of two that wait. A failure shows itself as readiness.
    slot.announced = false;
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

void reactor::on_failure(io_slot& slot, int error) noexcept {
  if (slot.has(io_foreign)) slot.deadline = static_cast<std::uint32_t>(error);
  // The calls that are tried then tell what is wrong.
  on_event(slot, event_error);
}

void reactor::queue(link& waiting) noexcept {
  if (waiting == no_link) return;
  auto& task = *from_link<wait_state>(from_link<io_wait>(waiting)->owner);
  if (task.kind() == wait_kind::io) shard_.make_ready(task, wait_kind::ready_io);
}

void reactor::queue_if_waiting(io_slot& slot) noexcept {
  queue(slot.reader);
  queue(slot.writer);
}

bool reactor::complete(wait_state& task) noexcept {
  auto& slot = *from_link<io_slot>(task.prev);
  const bool reads = slot.reader != no_link && from_link<io_wait>(slot.reader)->owner == to_link(&task);
  link& waiting = reads ? slot.reader : slot.writer;
  io_wait& wait = *from_link<io_wait>(waiting);
  if (!perform(slot, reads ? slot.reading : slot.writing, wait)) {
    if (!task.cancelled) {
      task.set_kind(wait_kind::io);
      return false;
    }
    shard_.refuse_await();
  }
  detach(slot, waiting);
  return true;
}

void reactor::give_up(wait_state& task) noexcept {
  auto& slot = *from_link<io_slot>(task.prev);
  const bool reads = slot.reader != no_link && from_link<io_wait>(slot.reader)->owner == to_link(&task);
  detach(slot, reads ? slot.reader : slot.writer);
  shard_.make_ready(task, wait_kind::ready_cancelled);
}

void reactor::for_each_waiting(void (*visit)(wait_state& task)) noexcept {
  slots_.for_each([visit](io_slot& slot) {
    // Both are looked up before the first visit, after which the slot may be gone.
    const std::array<link, 2> waiting{slot.reader, slot.writer};
    for (const link each : waiting) {
      if (each == no_link) continue;
      auto& task = *from_link<wait_state>(from_link<io_wait>(each)->owner);
      if (task.kind() == wait_kind::io) visit(task);
    }
  });
}

bool reactor::is_awaited() noexcept {
  bool found = false;
  slots_.for_each([&found](const io_slot& slot) { found = found || slot.reader != no_link || slot.writer != no_link; });
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
  // A fresh socket takes bytes; whether it has some, the kernel tells when it is first waited for.
  if (slot != nullptr) slot->set(io_writable);
  return slot;
}

io_slot* reactor::adopt_listener(int fd) noexcept {
  try {
    paused_.reserve(slots_.size() + 1);  // so that it can be paused without memory
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  return adopt(fd);
}

int reactor::release(io_slot& slot) noexcept {
  if (slot.has(io_watched)) poller_->unwatch(slot);
  if (slot.has(io_paused)) std::erase(paused_, to_link(&slot));
  const int fd = std::exchange(slot.fd, -1);
  slot.deadline = 0;
  slot.set(io_abandoned);
  queue_if_waiting(slot);
  free_if_unused(slot);
  return fd;
}

void reactor::close(io_slot& slot) noexcept {
  (void)system::close(release(slot));
  if (!paused_.empty()) resume_accepting();
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

// --- calls ----------------------------------------------------------------------------------------------------------

bool reactor::fail(int error) noexcept {
  outcome_.error = error;
  return true;
}

/// For `suspend`: the call has failed without a wait. Still a step: without any left, the task waits for its turn.
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
  if ((is_read(call) ? slot.reader : slot.writer) != no_link) return fail(EBUSY);
  if (!slot.has(is_read(call) ? io_readable | io_expired : io_writable | io_expired)) return false;
  return perform(slot, call, wait);
}

bool reactor::suspend(io_wait& wait, io_call call, wait_state& task) noexcept {
  if (task.cancelled) return shard_.refuse(task);
  if (wait.slot == no_link) return fail_at_once(task, EBADF);
  auto& slot = *from_link<io_slot>(wait.slot);
  const bool reads = is_read(call);
  link& waiting = reads ? slot.reader : slot.writer;
  if (waiting != no_link) return fail_at_once(task, EBUSY);
  const bool at_once = slot.has(reads ? io_readable | io_expired : io_writable | io_expired);  // out of steps
  if (!at_once && !slot.has(io_watched)) {
    if (const std::error_code error = poller_->watch(slot)) return fail_at_once(task, error.value());
    slot.set(io_watched);
  }
  wait.owner = to_link(&task);
  waiting = to_link(&wait);
  (reads ? slot.reading : slot.writing) = call;
  task.prev = wait.slot;
  if (at_once) {
    shard_.make_ready(task, wait_kind::ready_io);
  } else {
    task.set_kind(wait_kind::io);
  }
  return true;
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
  link& waiting = is_read(call) ? slot->reader : slot->writer;
  if (waiting != no_link) return fail_at_once(task, EBUSY);
  slot->clear(is_read(call) ? io_readable : io_writable);
  wait.slot = to_link(slot);
  wait.owner = to_link(&task);
  waiting = to_link(&wait);
  (is_read(call) ? slot->reading : slot->writing) = call;
  task.prev = wait.slot;
  task.set_kind(wait_kind::io);
  slot->announced = false;
  if (const std::error_code error = watch_foreign(*slot)) {
    detach(*slot, waiting);
    task.set_kind(wait_kind::none);
    // What epoll cannot watch (EPERM) is a file, which is always ready.
    return fail_at_once(task, error.value() == EPERM ? 0 : error.value());
  }
  return true;
}

std::error_code reactor::watch_foreign(io_slot& slot) noexcept {
  std::uint32_t events = 0;
  if (slot.reader != no_link && !slot.has(io_readable)) events |= event_in;
  if (slot.writer != no_link && !slot.has(io_writable)) events |= event_out;
  if (events == 0 || slot.announced) return {};
  slot.announced = true;
  return poller_->watch_once(slot, events);
}

bool reactor::perform(io_slot& slot, io_call call, io_wait& wait) noexcept {
  outcome_.error = 0;
  outcome_.count = 0;
  if (slot.has(io_abandoned | io_expired)) [[unlikely]]
    return fail(slot.has(io_abandoned) ? ECANCELED : ETIMEDOUT);
  switch (call) {
    case io_call::readable:
    case io_call::writable:
      if (slot.has(io_foreign)) outcome_.error = static_cast<int>(slot.deadline);
      return slot.has(is_read(call) ? io_readable : io_writable);
    case io_call::read: {
      const auto into = static_cast<io_read_wait&>(wait).into;
      return perform_read(slot, into.data(), into.size());
    }
    case io_call::read_lease:
      return perform_lease(slot);
    case io_call::accept:
      return perform_accept(slot);
    case io_call::write_some:
      return perform_write(slot, static_cast<io_write_wait&>(wait), false);
    case io_call::write:
      return perform_write(slot, static_cast<io_write_wait&>(wait), true);
    case io_call::write_vector:
      return perform_write_vector(slot, static_cast<io_write_vector_wait&>(wait));
    case io_call::receive_from:
      return perform_receive(slot, static_cast<io_read_wait&>(wait));
    case io_call::send_to:
      return perform_send(slot, static_cast<io_send_wait&>(wait));
    default:
      return fail(EINVAL);
  }
}

bool reactor::perform_read(io_slot& slot, std::byte* into, std::size_t size) noexcept {
  if (size == 0) return true;  // recv would give 0 too, but only once there are bytes
  ssize_t got = 0;
  do {
    got = system::recv(slot.fd, into, size);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    return would_block_or_fail(slot, io_readable);
  }
  outcome_.count = static_cast<std::uint32_t>(got);  // the system reads less than 2 GiB at a time
  // All that was there: what comes later will be announced, except for an end that already was.
  if (outcome_.count < size && !slot.has(io_ended)) slot.clear(io_readable);
  return true;
}

bool reactor::perform_lease(io_slot& slot) noexcept {
  std::byte* const buffer = buffers_.take();
  if (buffer == nullptr) return fail(ENOMEM);
  const bool done = perform_read(slot, buffer, buffer_pool::buffer_bytes);
  if (!done || outcome_.error != 0 || outcome_.count == 0) {
    buffers_.give_back(buffer);
    return done;
  }
  outcome_.buffer = buffer;
  return true;
}

bool reactor::perform_write(io_slot& slot, io_write_wait& wait, bool all) noexcept {
  while (!wait.left.empty()) {
    const ssize_t sent = system::send(slot.fd, wait.left.data(), wait.left.size());
    if (sent < 0) {
      if (errno == EINTR) continue;
      return would_block_or_fail(slot, io_writable);
    }
    wait.left = wait.left.subspan(static_cast<std::size_t>(sent));
    outcome_.count = static_cast<std::uint32_t>(sent);
    if (!all) break;
  }
  return true;
}

bool reactor::perform_write_vector(io_slot& slot, io_write_vector_wait& wait) noexcept {
  for (;;) {
    std::array<iovec, 16> vectors;
    std::size_t count = 0;
    std::size_t skipped = wait.written_of_first;
    for (const std::span<const std::byte> piece : wait.left) {
      if (count == vectors.size()) break;
      const std::span<const std::byte> rest = piece.subspan(std::exchange(skipped, 0));
      if (!rest.empty()) vectors[count++] = {const_cast<std::byte*>(rest.data()), rest.size()};
    }
    if (count == 0) return true;
    const msghdr message{.msg_name = nullptr,
                         .msg_namelen = 0,
                         .msg_iov = vectors.data(),
                         .msg_iovlen = count,
                         .msg_control = nullptr,
                         .msg_controllen = 0,
                         .msg_flags = 0};
    const ssize_t sent = system::sendmsg(slot.fd, &message);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return would_block_or_fail(slot, io_writable);
    }
    wait.written_of_first += static_cast<std::size_t>(sent);
    while (!wait.left.empty() && wait.written_of_first >= wait.left.front().size()) {
      wait.written_of_first -= wait.left.front().size();
      wait.left = wait.left.subspan(1);
    }
  }
}

bool reactor::perform_accept(io_slot& slot) noexcept {
  for (;;) {
    const int fd = system::accept(slot.fd);
    if (fd >= 0) {
      io_slot* const accepted = adopt(fd);
      if (accepted == nullptr) {
        (void)system::close(fd);
        return fail(ENOMEM);
      }
      outcome_.count = to_link(accepted);
      return true;
    }
    if (is_about_the_peer(errno)) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK && !is_exhaustion(errno)) return fail(errno);
    if (is_exhaustion(errno)) pause_accepting(slot);
    slot.clear(io_readable);
    return false;
  }
}

bool reactor::would_block_or_fail(io_slot& slot, std::uint16_t direction) noexcept {
  if (errno != EAGAIN && errno != EWOULDBLOCK) return fail(errno);
  slot.clear(direction);
  return false;
}

bool reactor::perform_receive(io_slot& slot, const io_read_wait& wait) noexcept {
  iovec vector{wait.into.data(), wait.into.size()};
  msghdr message{.msg_name = &outcome_.from,
                 .msg_namelen = sizeof(outcome_.from),
                 .msg_iov = &vector,
                 .msg_iovlen = 1,
                 .msg_control = nullptr,
                 .msg_controllen = 0,
                 .msg_flags = 0};
  ssize_t got = 0;
  do {
    got = system::recvmsg(slot.fd, &message);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return would_block_or_fail(slot, io_readable);
  outcome_.count = static_cast<std::uint32_t>(got);
  outcome_.truncated = (message.msg_flags & MSG_TRUNC) != 0;
  outcome_.from_size = message.msg_namelen;
  return true;
}

bool reactor::perform_send(io_slot& slot, const io_send_wait& wait) noexcept {
  iovec vector{const_cast<std::byte*>(wait.bytes), wait.size};
  const msghdr message{.msg_name = const_cast<void*>(wait.to),
                       .msg_namelen = wait.to_size,
                       .msg_iov = &vector,
                       .msg_iovlen = 1,
                       .msg_control = nullptr,
                       .msg_controllen = 0,
                       .msg_flags = 0};
  ssize_t sent = 0;
  do {
    sent = system::sendmsg(slot.fd, &message);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return would_block_or_fail(slot, io_writable);
  return true;
}

void reactor::pause_accepting(io_slot& slot) noexcept {
  if (slot.has(io_paused)) return;
  slot.set(io_paused);
  paused_.push_back(to_link(&slot));
  if (!timers_->accepting.asleep) arm(timers_->accepting, std::chrono::nanoseconds(accept_pause).count());
}

void reactor::resume_accepting() noexcept {
  disarm(timers_->accepting);
  for (const link each : paused_) {
    auto& slot = *from_link<io_slot>(each);
    slot.clear(io_paused);
    slot.set(io_readable);
    queue(slot.reader);
  }
  paused_.clear();
}

// --- deadlines ------------------------------------------------------------------------------------------------------

std::uint32_t reactor::present_unit() noexcept { return static_cast<std::uint32_t>(shard_.now() >> deadline_shift); }

void reactor::set_deadline(io_slot& slot, std::optional<std::chrono::nanoseconds> from_now) noexcept {
  slot.clear(io_expired);
  slot.deadline = 0;
  if (!from_now) return;
  // At most four years, half of what 32 bits tell apart; in the unit after the one that it lies in, so never early.
  const std::int64_t limit = std::clamp<std::int64_t>(from_now->count(), 0, std::int64_t{1} << (deadline_shift + 30));
  slot.deadline = std::max(static_cast<std::uint32_t>((shard_.now() + limit) >> deadline_shift) + 1, 1U);
  arm_sweep(slot.deadline);
}

void reactor::arm_sweep(std::uint32_t unit) noexcept {
  if (timers_->deadlines.asleep) {
    if (next_sweep_ <= unit) return;
    disarm(timers_->deadlines);
  }
  next_sweep_ = unit;
  arm(timers_->deadlines, std::max<std::int64_t>((std::int64_t{unit} << deadline_shift) - shard_.now(), 0));
}

void reactor::sweep_deadlines() noexcept {
  const std::uint32_t present = present_unit();
  std::uint32_t next = UINT32_MAX;
  slots_.for_each([&](io_slot& slot) {
    if (slot.deadline == 0) return;
    if (slot.deadline > present) {
      next = std::min(next, slot.deadline);
      return;
    }
    slot.deadline = 0;
    slot.set(io_expired);
    queue_if_waiting(slot);
  });
  if (next != UINT32_MAX) arm_sweep(next);
}

// In portions that lie on the stack: this is called when memory is short.
std::size_t reactor::expire_first(std::size_t most) noexcept {
  constexpr std::size_t portion = 64;
  const auto sooner = [](const io_slot* one, const io_slot* other) { return one->deadline < other->deadline; };
  std::size_t expired = 0;
  while (expired < most) {
    // A heap, the latest deadline of those chosen at its top.
    std::array<io_slot*, portion> chosen{};
    const std::size_t wanted = std::min(most - expired, portion);
    std::size_t count = 0;
    slots_.for_each([&](io_slot& slot) {
      const bool waits = slot.reader != no_link && slot.reading == io_call::readable && !slot.has(io_foreign);
      if (!waits || slot.deadline == 0) return;
      if (count == wanted) {
        if (!sooner(&slot, chosen[0])) return;
        std::pop_heap(chosen.begin(), chosen.begin() + count--, sooner);
      }
      chosen[count++] = &slot;
      std::push_heap(chosen.begin(), chosen.begin() + count, sooner);
    });
    if (count == 0) break;
    for (io_slot* slot : std::span(chosen).first(count)) {
      slot->deadline = 0;
      slot->set(io_expired);
      queue_if_waiting(*slot);
    }
    expired += count;
  }
  return expired;
}

// --- from awaiters --------------------------------------------------------------------------------------------------

bool io_try(io_wait& wait, io_call call) noexcept {
  if (reactor* const here = reactor::if_any(); here != nullptr) return here->try_call(wait, call);
  return --current_shard->budget >= 0;  // without a reactor there can be no slot, so no stream either
}

bool io_suspend(io_wait& wait, io_call call, wait_state& task) noexcept {
  if (reactor* const here = reactor::if_any(); here != nullptr) return here->suspend(wait, call, task);
  if (task.cancelled) return current_shard->refuse(task);
  task.prev = EBADF;
  current_shard->make_ready(task, wait_kind::ready_failed);
  return true;
}

}  // namespace tare::detail
