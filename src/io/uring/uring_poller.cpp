// io_uring as a poller: one multishot poll request for the whole life of each descriptor, and plain calls when it
// reports.
//
// Requests to the kernel are batched: registrations and waits for foreign descriptors are submitted with the next wait.
// Completions are read from the ring without a system call. Those that the kernel has yet to deliver (cooperative task
// work) arrive with the next system call of any kind, so a busy shard rarely needs a separate call for them.
//
// A request keeps a reference to its descriptor's file, and to the slot in its user data: a slot is `io_armed` until
// the request's last completion has been read. A multishot request may end by itself (the completion queue overflowed,
// the thread that made it has exited); then it is made again.
//
// So a descriptor is closed only after its request has ended, whatever its state: not yet submitted, armed, about to
// report, reported but not read, ended but not read. A cancellation works in all of them, whereas the removal of a poll
// is refused (EALREADY) while an event is pending. A cancellation that could not be submitted, or has failed, is
// repeated by the next wait.

#include "frame/heap.hpp"
#include "io/reactor.hpp"
#include "sched/descriptor.hpp"

#include <liburing.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <utility>

namespace tare::detail {

namespace {

constexpr unsigned submission_entries = 128;
constexpr unsigned completion_entries = 2048;
// User data. A slot's request never uses the first three values, because a link is not 0.
constexpr std::uint64_t ignored_request = 0;  ///< for requests whose completions are ignored
constexpr std::uint64_t of_wake = std::uint64_t{1} << 32U;
constexpr std::uint64_t of_cancellation = std::uint64_t{2} << 32U;

/// Of a slot's request. Includes the generation, so that a late cancellation does not affect the request of the slot's
/// next use.
[[nodiscard]] std::uint64_t user_data_of(const io_slot& slot) noexcept {
  return to_link(&slot) | std::uint64_t{slot.generation} << 32U;
}

constexpr std::chrono::nanoseconds retry_period = std::chrono::milliseconds(1);

/// Sets up a ring. Older kernels support fewer of the flags.
class ring {
 public:
  ring() {
    const unsigned cooperative = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    int failed = 0;
    for (const unsigned flags : {cooperative, 0U}) {
      io_uring_params parameters{};
      parameters.flags = flags | IORING_SETUP_CQSIZE;
      parameters.cq_entries = completion_entries;
      failed = ::io_uring_queue_init_params(submission_entries, &ring_, &parameters);
      if (failed == 0 && (parameters.features & IORING_FEAT_EXT_ARG) == 0) {
        ::io_uring_queue_exit(&ring_);
        failed = -ENOSYS;  // too old to wait with a time limit
      }
      if (failed != -EINVAL) break;
    }
    if (failed != 0) throw std::system_error(-failed, std::system_category(), "io_uring");
  }
  ~ring() { ::io_uring_queue_exit(&ring_); }
  ring(const ring&) = delete;
  ring& operator=(const ring&) = delete;

  [[nodiscard]] io_uring* get() noexcept { return &ring_; }
  [[nodiscard]] int native_handle() const noexcept { return ring_.ring_fd; }

 private:
  io_uring ring_{};
};

class uring_poller final : public poller {
 public:
  explicit uring_poller(reactor& reports_to) : reactor_(reports_to), woken_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    // Multishot poll appeared in Linux 5.13, later than the features that the ring requests: try it.
    watch_wake();
    if (const int failed = ::io_uring_submit(ring_.get()); failed < 0) {
      throw std::system_error(-failed, std::system_category(), "io_uring");
    }
    if (io_uring_cqe* first = nullptr; ::io_uring_peek_cqe(ring_.get(), &first) == 0 && first->res < 0) {
      throw std::system_error(-first->res, std::system_category(), "io_uring");
    }
  }

  uring_poller(const uring_poller&) = delete;
  uring_poller& operator=(const uring_poller&) = delete;
  ~uring_poller() override {
    // Before Linux 6.0, the kernel destroys a ring later, and the requests would keep their files open until then.
    io_uring_sync_cancel_reg all{};
    all.flags = IORING_ASYNC_CANCEL_ANY;
    all.timeout = {.tv_sec = 0, .tv_nsec = 100'000'000};
    (void)::io_uring_register_sync_cancel(ring_.get(), &all);
  }

  std::error_code watch(io_slot& slot) noexcept override {
    io_uring_sqe* const entry = next_entry_or_retry();
    if (entry == nullptr) return {};
    ::io_uring_prep_poll_multishot(entry, slot.fd, event_in | event_out | event_peer_closed);
    entry->user_data = user_data_of(slot);
    slot.set(io_armed);
    return {};
  }

  std::error_code watch_once(io_slot& slot, std::uint32_t events) noexcept override {
    io_uring_sqe* const entry = next_entry_or_retry();
    if (entry == nullptr) return {};
    if (slot.has(io_armed)) {
      // If it is too late for that, the completion is pending, and the reactor will then ask again.
      ::io_uring_prep_poll_update(entry, user_data_of(slot), 0, events | event_peer_closed, IORING_POLL_UPDATE_EVENTS);
      entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
      entry->user_data = ignored_request;
      return {};
    }
    ::io_uring_prep_poll_add(entry, slot.fd, events | event_peer_closed);
    entry->user_data = user_data_of(slot);
    slot.set(io_armed);
    return {};
  }

  void unwatch(io_slot& slot) noexcept override {
    if (!slot.has(io_armed)) return;
    cancel(slot);
    // Immediately, because the request would keep the file open after the descriptor has been closed.
    (void)::io_uring_submit(ring_.get());
    // Requests that the kernel has not accepted refer to descriptors that may have been reused by the time it does.
    if (::io_uring_sq_ready(ring_.get()) != 0) withdraw(slot);
  }

  void wait(std::optional<std::chrono::nanoseconds> longest) noexcept override {
    if (std::exchange(has_to_retry_, false)) [[unlikely]] {
      retry();
      if (has_to_retry_) longest = std::min(longest.value_or(retry_period), retry_period);
    }
    // Not only when the completions have run out, because on a busy shard that may never happen.
    if (::io_uring_cq_ready(ring_.get()) == 0) {
      ask_kernel(longest);
    } else if (::io_uring_sq_ready(ring_.get()) != 0) {
      ask_kernel(std::chrono::nanoseconds(0));
    }
    report();
  }

  void wake() noexcept override {
    const std::uint64_t once = 1;
    (void)!::write(woken_.get(), &once, sizeof(once));
  }

  int native_handle() const noexcept override { return ring_.native_handle(); }
  bool has_to_retry() const noexcept override { return has_to_retry_; }
  bool holds_descriptors() const noexcept override { return true; }
  const char* name() const noexcept override { return "io_uring"; }

 private:
  /// nullptr if the kernel accepts no more.
  [[nodiscard]] io_uring_sqe* next_entry() noexcept {
    io_uring_sqe* entry = ::io_uring_get_sqe(ring_.get());
    if (entry == nullptr) {
      ::io_uring_submit(ring_.get());
      entry = ::io_uring_get_sqe(ring_.get());
    }
    return entry;
  }

  /// The same; the next wait then retries.
  [[nodiscard]] io_uring_sqe* next_entry_or_retry() noexcept {
    io_uring_sqe* const entry = next_entry();
    if (entry == nullptr) has_to_retry_ = true;
    return entry;
  }

  void cancel(const io_slot& slot) noexcept {
    io_uring_sqe* const entry = next_entry_or_retry();
    if (entry == nullptr) return;
    ::io_uring_prep_cancel64(entry, user_data_of(slot), 0);
    entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
    entry->user_data = of_cancellation;
  }

  /// Repeats all requests that may not have reached the kernel.
  void retry() noexcept {
    if (has_to_watch_wake_) watch_wake();
    reactor_.slots().for_each([this](io_slot& slot) {
      if (slot.has(io_abandoned)) {
        if (slot.has(io_armed)) cancel(slot);
      } else if (slot.has(io_foreign)) {
        reactor_.on_event(slot, 0);
      } else if (slot.has(io_watched) && !slot.has(io_armed)) {
        (void)watch(slot);
      }
    });
  }

  /// Turns the slot's requests that the kernel has not accepted into no-ops.
  void withdraw(io_slot& slot) noexcept {
    io_uring_sq& queue = ring_.get()->sq;
    for (unsigned at = *queue.khead; at != queue.sqe_tail; ++at) {
      io_uring_sqe& entry = queue.sqes[at & queue.ring_mask];
      if (entry.user_data != user_data_of(slot)) continue;
      ::io_uring_prep_nop(&entry);
      entry.user_data = ignored_request;
      slot.clear(io_armed);
    }
  }

  void watch_wake() noexcept {
    io_uring_sqe* const entry = next_entry_or_retry();
    has_to_watch_wake_ = entry == nullptr;
    if (entry == nullptr) return;
    // Every write is announced, whether or not the earlier ones have been read, so no one needs to read them.
    ::io_uring_prep_poll_multishot(entry, woken_.get(), event_in);
    entry->user_data = of_wake;
  }

  void ask_kernel(std::optional<std::chrono::nanoseconds> longest) noexcept {
    if (longest == std::chrono::nanoseconds(0)) {
      const unsigned flags = *ring_.get()->sq.kflags;
      if (::io_uring_sq_ready(ring_.get()) != 0 || (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0) {
        ::io_uring_submit_and_wait(ring_.get(), 0);
        if ((flags & IORING_SQ_CQ_OVERFLOW) != 0) ::io_uring_get_events(ring_.get());
      }
      return;
    }
    io_uring_cqe* first = nullptr;
    __kernel_timespec limit{};
    if (longest) {
      limit.tv_sec = longest->count() / 1'000'000'000;
      limit.tv_nsec = longest->count() % 1'000'000'000;
    }
    const heap::rest resting(reactor_.frames());
    ::io_uring_submit_and_wait_timeout(ring_.get(), &first, 1, longest ? &limit : nullptr, nullptr);
  }

  void report() noexcept {
    io_uring_cqe* completion = nullptr;
    unsigned head = 0;
    unsigned count = 0;
    io_uring_for_each_cqe(ring_.get(), head, completion) {
      ++count;
      const bool last = (completion->flags & IORING_CQE_F_MORE) == 0;
      if (completion->user_data == of_wake) {
        if (last) watch_wake();
      } else if (completion->user_data == of_cancellation) {
        // Not found: the request has ended, as one of these completions says.
        if (completion->res < 0 && completion->res != -ENOENT) has_to_retry_ = true;
      } else if (completion->user_data != ignored_request) {
        report_slot(*from_link<io_slot>(static_cast<link>(completion->user_data)), completion->res, last);
      }
    }
    ::io_uring_cq_advance(ring_.get(), count);
  }

  void report_slot(io_slot& slot, int found, bool last) noexcept {
    if (last) slot.clear(io_armed);
    if (slot.has(io_abandoned)) {
      if (last) {
        reactor_.on_disarmed(slot);
      } else {
        cancel(slot);  // either that is pending, or it has failed
      }
      return;
    }
    if (found >= 0) {
      reactor_.on_event(slot, static_cast<std::uint32_t>(found));
    } else if (found != -ECANCELED) {
      reactor_.on_failure(slot);
    }
    if (!last || slot.has(io_armed)) return;
    // It ended although it is still needed.
    if (slot.has(io_foreign)) {
      if (found == -ECANCELED) reactor_.on_event(slot, 0);
    } else if (found >= 0 || found == -ECANCELED) {
      (void)watch(slot);
    }
  }

  reactor& reactor_;
  descriptor woken_;
  ring ring_;
  bool has_to_watch_wake_ = false;
  bool has_to_retry_ = false;  ///< some request has not reached the kernel
};

}  // namespace

std::unique_ptr<poller> make_uring_poller(reactor& reports_to) { return std::make_unique<uring_poller>(reports_to); }

}  // namespace tare::detail
