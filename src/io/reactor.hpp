#pragma once

// A shard's reactor: its descriptors, the tasks that wait for them, and the calls made when they are ready.
//
// The readiness of a descriptor is in its slot. A call is tried only if the slot says that it may succeed. If it would
// block, or transfers less than it could have, the slot is marked, and the next wait relies on the kernel, which
// announces every change once (edge-triggered). So an idle connection costs one registration in its whole life, and a
// busy one makes no call that finds nothing.
//
// From event to task: the poller reports, `on_event` queues the waiting task, and when its turn comes, `complete` makes
// the call and the task resumes with the result, which is stored in `outcome` in between. If the call would block, the
// task does not resume but continues to wait.
//
// reactor.cpp has the waits and the poller's reports, calls.cpp the calls, deadlines.hpp the deadlines.

#include "io/accept_pause.hpp"
#include "io/buffer_pool.hpp"
#include "io/deadlines.hpp"
#include "io/poller.hpp"
#include "io/slot.hpp"
#include "sched/driver.hpp"

#include <tare/detail/io_wait.hpp>

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <system_error>
#include <unordered_map>

namespace tare::detail {

class heap;
class shard;
struct io_arm;

/// The result of the last call, until the task that made it resumes.
struct io_outcome {
  int error = 0;
  std::uint32_t count = 0;  ///< bytes, or the link to the slot of an accepted socket
  std::byte* buffer = nullptr;
  bool truncated = false;
  sockaddr_storage from;
  socklen_t from_size = 0;
};

class reactor final : public driver {
 public:
  /// The current shard's reactor, created if necessary. Fails if descriptors or memory are exhausted.
  [[nodiscard]] static std::expected<reactor*, std::error_code> here() noexcept;
  /// nullptr if the thread runs no shard or the shard has no reactor yet.
  [[nodiscard]] static reactor* if_any() noexcept;

  explicit reactor(shard& of);
  reactor(const reactor&) = delete;
  reactor& operator=(const reactor&) = delete;
  ~reactor() override;

  void poll() noexcept override;
  void wait(std::optional<std::chrono::nanoseconds> longest) noexcept override;
  void wake() noexcept override { poller_->wake(); }
  [[nodiscard]] int native_handle() const noexcept override { return poller_->native_handle(); }
  [[nodiscard]] bool has_to_retry() const noexcept override { return poller_->has_to_retry(); }
  void trim() noexcept override { buffers_.trim(); }
  [[nodiscard]] bool is_trimmed() const noexcept override { return buffers_.is_trimmed(); }
  [[nodiscard]] bool complete(wait_state& task) noexcept override;
  void fail_call(int error) noexcept override { (void)fail(error); }
  void give_up(wait_state& task) noexcept override;
  [[nodiscard]] bool is_awaited() noexcept override;
  void for_each_waiting(void (*visit)(wait_state& task)) noexcept override;

  /// A slot for a descriptor, whose ownership it takes; nullptr if there is no memory.
  [[nodiscard]] io_slot* adopt(int fd) noexcept;
  /// The same for a listening socket.
  [[nodiscard]] io_slot* adopt_listener(int fd) noexcept;
  /// Called by the owner of the slot: closes the descriptor and ends waits.
  void close(io_slot& slot) noexcept;
  /// The same, but the descriptor stays open.
  [[nodiscard]] int release(io_slot& slot) noexcept;
  /// From another thread, under `slot_table::owners_lock`. The descriptor is shut down immediately and closed when the
  /// shard processes the request.
  void close_from_elsewhere(io_slot& slot) noexcept;

  // An await (io_wait.hpp).
  [[nodiscard]] bool try_call(io_wait& wait, io_call call) noexcept;
  [[nodiscard]] bool suspend(io_wait& wait, io_call call, wait_state& task) noexcept;
  /// Makes the call now. False if it would block.
  [[nodiscard]] bool perform(io_slot& slot, io_call call, io_wait& wait) noexcept;
  /// False if a read would block; the kernel then announces what arrives.
  [[nodiscard]] bool may_have_input(io_slot& slot) noexcept;
  /// A wait for a foreign descriptor.
  [[nodiscard]] bool suspend_foreign(io_wait& wait, int fd, io_call call, wait_state& task) noexcept;

  /// Called by the poller.
  void on_event(io_slot& slot, std::uint32_t events) noexcept;
  void on_disarmed(io_slot& slot) noexcept;
  /// The descriptor cannot be watched.
  void on_failure(io_slot& slot) noexcept;

  /// Queues the waiting task, if any, so that its call is tried. For a wait without a task, makes the call.
  void queue(io_slot& slot, io_direction in) noexcept;

  /// The function behind `io_call::attempt_read` and `attempt_write`. True if the waiting task is to resume. It is
  /// called even if the deadline has passed. If it stops while more could be done, it sets the slot's ready flag. A
  /// call for a wait without a task may come from the poller: it must not close the descriptor, and its result is
  /// ignored.
  using attempt = bool (*)(io_wait& wait, io_slot& slot, io_direction in);
  void attempt_by(attempt function) noexcept { attempt_ = function; }
  /// Starts a wait without a task; does nothing if there is one. If the slot is already ready, no event may follow, so
  /// attempt first. False if the kernel refuses to watch the descriptor, or a task waits.
  [[nodiscard]] bool wait_without_task(io_wait& wait, io_call call) noexcept;
  /// Starts the wait of a select for readiness (select_io_arm.hpp). 0, or an errno.
  [[nodiscard]] int begin_arm(io_arm& arm, io_call call) noexcept;
  /// Takes a wait without a task back.
  void end_wait_without_task(io_wait& wait, io_direction in) noexcept;

  [[nodiscard]] deadline_sweep& deadlines() noexcept { return deadlines_; }
  [[nodiscard]] shard& owner() noexcept { return shard_; }
  /// The heap of the shard; it is at rest while the shard sleeps in the kernel.
  [[nodiscard]] heap& frames() noexcept;
  [[nodiscard]] io_outcome& outcome() noexcept { return outcome_; }
  [[nodiscard]] buffer_pool& buffers() noexcept { return buffers_; }
  [[nodiscard]] slot_table& slots() noexcept { return slots_; }
  /// Whether descriptors may stay open briefly after the process has been killed.
  [[nodiscard]] bool holds_descriptors() const noexcept { return poller_->holds_descriptors(); }
  [[nodiscard]] const char* poller_name() const noexcept { return poller_->name(); }

 private:
  [[nodiscard]] bool fail(int error) noexcept;
  [[nodiscard]] bool fail_at_once(wait_state& task, int error) noexcept;
  [[nodiscard]] bool perform_read(io_slot& slot, std::byte* into, std::size_t size) noexcept;
  [[nodiscard]] bool perform_lease(io_slot& slot) noexcept;
  [[nodiscard]] bool perform_write(io_slot& slot, io_write_wait& wait, bool all) noexcept;
  [[nodiscard]] bool perform_write_vector(io_slot& slot, io_write_vector_wait& wait) noexcept;
  [[nodiscard]] bool perform_accept(io_slot& slot) noexcept;
  [[nodiscard]] bool perform_receive(io_slot& slot, const io_read_wait& wait) noexcept;
  [[nodiscard]] bool perform_send(io_slot& slot, const io_send_wait& wait) noexcept;
  [[nodiscard]] bool would_block_or_fail(io_slot& slot, std::uint16_t direction) noexcept;

  /// 0, or an errno if the kernel refuses to watch the descriptor.
  [[nodiscard]] int watch(io_slot& slot) noexcept;
  void queue_if_waiting(io_slot& slot) noexcept;
  void free_if_unused(io_slot& slot) noexcept;
  void detach(io_slot& slot, link& waiting) noexcept;
  [[nodiscard]] std::error_code watch_foreign(io_slot& slot) noexcept;
  void close_orphans() noexcept;
  void pause_accepting(io_slot& slot) noexcept;

  shard& shard_;
  std::unique_ptr<poller> poller_;
  slot_table slots_;
  buffer_pool buffers_;
  io_outcome outcome_;
  deadline_sweep deadlines_;
  accept_pause accept_pause_;
  attempt attempt_ = nullptr;
  std::unordered_map<int, link> foreign_;
  std::atomic<bool> has_orphans_ = false;
};

// These throw std::system_error.
[[nodiscard]] std::unique_ptr<poller> make_epoll_poller(reactor& reports_to);
[[nodiscard]] std::unique_ptr<poller> make_uring_poller(reactor& reports_to);

}  // namespace tare::detail
