#pragma once

// A limit on the memory of the process, kept by admitting memory before it is used.
//
//   tare::runtime rt({.memory_limit = 512 << 20});
//   ...
//   auto share = tare::memory().try_admit(2 << 10);             // what a request holds while it waits
//   if (!share) co_return refuse(503);
//   const bool fits = co_await share.resize(64 << 10, 2s);      // before it holds more
//   ...
//   share.shrink_to(2 << 10);                                   // as soon as it holds less
//
// The budget tracks two numbers. The first is what the process actually holds, read from the kernel at most once per
// millisecond: it includes frames, buffers, the allocator's overhead and memory of libraries; growth of shares since
// the last reading is added. The second is what has been promised, including memory not touched yet: the sum of all
// shares. A request is admitted if it fits into both, so the limit holds no matter how late the memory is used, and no
// matter how inaccurate the shares are.
//
// Waiting for room is first come, first served, and nothing is admitted immediately while another request waits.
// Requests that hold memory while they wait for more could deadlock. Therefore both numbers keep a reserve, at least as
// large as the largest single request (`keep_reserve`). It is lent to one share at a time, the one that has waited
// longest, until that share ends.
//
// The budget cannot stop memory that was never admitted (a growing cache, a share that was far too small):
// `runtime_options::frame_limit` is the hard limit behind it. An admission takes a few nanoseconds, or a microsecond
// when it reads from the kernel. **Bytes** A share is 16; a wait for room is a task of about 500.

#include <tare/detail/brief_lock.hpp>
#include <tare/semaphore.hpp>
#include <tare/task.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace tare {

class memory_budget;

/// Admitted memory, until this is destroyed. Move-only; do not move it while `resize` is awaited.
class [[nodiscard("the memory is released when its share is destroyed")]] memory_share {
 public:
  memory_share() noexcept = default;
  memory_share(memory_share&& other) noexcept { swap(other); }
  memory_share& operator=(memory_share&& other) noexcept {
    memory_share moved(std::move(other));
    swap(moved);
    return *this;
  }
  memory_share(const memory_share&) = delete;
  memory_share& operator=(const memory_share&) = delete;
  ~memory_share() { release(); }

  /// Releases the share now.
  void release() noexcept;
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_and_flags_ & (urgent_flag - 1); }
  /// False if nothing was admitted.
  [[nodiscard]] explicit operator bool() const noexcept { return of_ != nullptr; }

  /// Grows to `bytes` if there is room and no other request waits; does nothing if the share already has as many. An
  /// empty share cannot grow. Like `memory_budget::try_admit`, it returns freed memory that the allocator keeps to the
  /// system before it refuses, at most once per second.
  /// **Threads** Any, but one at a time per share. This applies to all functions of a share.
  [[nodiscard]] bool try_grow_to(std::size_t bytes) noexcept;

  /// Like `try_grow_to`, but if there is no other room and no other request waits, the reserve is lent to the share.
  /// For shares that will not grow again.
  [[nodiscard]] bool try_grow_for_good(std::size_t bytes) noexcept;

  /// Releases everything above `bytes`.
  void shrink_to(std::size_t bytes) noexcept;

  /// Resizes to `bytes`: shrinks immediately, or waits for room for at most `patience`.
  /// **Errors** False if there was no room in that time, or never will be; the share is unchanged.
  /// **Cancellation** Leaves the queue; the share is unchanged.
  task<bool> resize(std::size_t bytes, std::chrono::nanoseconds patience);

  /// Marks the share as belonging to something that may last forever, such as an event stream: it returns the reserve
  /// and never gets it again.
  void keep_from_reserve() noexcept;
  /// Whether the reserve is lent to this share.
  [[nodiscard]] bool has_reserve() const noexcept { return has(has_reserve_flag); }

 private:
  friend class memory_budget;
  explicit memory_share(memory_budget& budget) noexcept : of_(&budget) {}
  void swap(memory_share& other) noexcept {
    std::swap(of_, other.of_);
    std::swap(bytes_and_flags_, other.bytes_and_flags_);
  }

  static constexpr std::uint64_t has_reserve_flag = std::uint64_t{1} << 63U;
  static constexpr std::uint64_t lasts_flag = std::uint64_t{1} << 62U;
  static constexpr std::uint64_t urgent_flag = std::uint64_t{1} << 61U;
  [[nodiscard]] bool has(std::uint64_t flag) const noexcept { return (bytes_and_flags_ & flag) != 0; }

  memory_budget* of_ = nullptr;
  std::uint64_t bytes_and_flags_ = 0;
};

/// Any thread. Must outlive its shares.
class memory_budget {
 public:
  /// `held` returns the bytes that the process holds; the default reads its resident memory.
  explicit memory_budget(std::size_t limit, std::function<std::size_t()> held = {});
  memory_budget(const memory_budget&) = delete;
  memory_budget& operator=(const memory_budget&) = delete;
  ~memory_budget() = default;

  /// An empty share if `bytes` do not fit in addition to the reserve, or if other requests wait for room.
  memory_share try_admit(std::size_t bytes) noexcept;

  /// For the few requests that must be answered when all others are refused, such as health checks: 128 KiB of the
  /// reserve are set aside for them, and they do not queue behind others, also when the share grows.
  memory_share try_admit_urgent(std::size_t bytes) noexcept;

  /// Waits for room for at most `patience`; returns an empty share if there was none.
  /// **Cancellation** Leaves the queue; nothing is admitted.
  task<memory_share> admit(std::size_t bytes, std::chrono::nanoseconds patience);

  /// Reserves at least `bytes` for the request that has waited longest. Pass the maximum that a single request may
  /// hold. The reserve is limited to half of the budget; a larger request gets the reserve and whatever is free.
  void keep_reserve(std::size_t bytes) noexcept;
  [[nodiscard]] std::size_t reserve() const noexcept { return reserve_.load(std::memory_order_relaxed); }

  /// Whether `bytes` would currently fit in addition to the reserve.
  [[nodiscard]] bool has_room(std::size_t bytes) noexcept;
  /// Whether a single share could ever have `bytes`.
  [[nodiscard]] bool could_ever_fit(std::size_t bytes) const noexcept;

  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
  /// What the process held at the last reading.
  [[nodiscard]] std::size_t held() noexcept;
  /// The sum of the shares.
  [[nodiscard]] std::size_t promised() const noexcept { return promised_.load(std::memory_order_relaxed); }
  /// Number of tasks that wait for room.
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.load(std::memory_order_relaxed); }
  /// Number of requests that found no room, immediately or within their time.
  [[nodiscard]] std::uint64_t refusals() const noexcept { return refusals_.load(std::memory_order_relaxed); }

 private:
  friend class memory_share;
  class place_in_queue;
  enum class asker : std::uint8_t { anyone, first_in_queue, urgent };

  [[nodiscard]] bool is_limited() const noexcept { return limit_ != SIZE_MAX; }
  [[nodiscard]] bool grow(memory_share& share, std::size_t bytes, asker by) noexcept;
  void shrink(memory_share& share, std::size_t bytes) noexcept;
  void give_back_reserve(memory_share& share) noexcept;
  task<bool> wait_for_room(memory_share& share, std::size_t bytes, std::chrono::nanoseconds patience);

  // These require the lock.
  [[nodiscard]] bool fits(std::size_t bytes, std::size_t kept) noexcept;
  [[nodiscard]] std::size_t kept_from_all() const noexcept;
  [[nodiscard]] bool grow_from_reserve(memory_share& share, std::size_t more) noexcept;
  void count(memory_share& share, std::size_t more) noexcept;
  void look_if_due() noexcept;
  void look() noexcept;

  [[nodiscard]] bool make_room() noexcept;

  std::size_t limit_;
  std::function<std::size_t()> ask_;
  std::size_t base_ = 0;  ///< what the process held before anything was admitted
  detail::brief_lock lock_;
  bool is_lent_ = false;
  std::atomic<std::size_t> reserve_ = 0;
  std::size_t lent_bytes_ = 0;  ///< of the reserve, used by the share that it is lent to
  std::atomic<std::size_t> promised_ = 0;
  std::atomic<std::size_t> held_ = 0;
  std::size_t promised_since_ = 0;  ///< since `held_` was read
  std::int64_t looked_at_ = 0;      ///< in nanoseconds of the clock
  std::atomic<std::int64_t> trimmed_at_ = 0;
  std::atomic<std::size_t> given_back_since_ = 0;  ///< by shares, since `trimmed_at_`
  std::atomic<std::uint64_t> refusals_ = 0;
  std::atomic<std::size_t> waiting_ = 0;
  std::atomic<std::size_t> preceding_ = 0;  ///< of these, those that precede requests that do not wait
  semaphore turn_{1};                       ///< of the request that has waited longest
  semaphore lasting_turn_{1};               ///< the same for those that are never lent the reserve
};

/// The budget of the current runtime, of `runtime_options::memory_limit` bytes.
[[nodiscard]] memory_budget& memory() noexcept;

}  // namespace tare
