#pragma once

// A limit on the memory of the process, kept by asking before memory is taken.
//
//   tare::runtime rt({.memory_limit = 512 << 20});
//   ...
//   auto share = tare::memory().try_admit(2 << 10);             // what a request holds while it waits
//   if (!share) co_return refuse(503);
//   const bool fits = co_await share.resize(64 << 10, 2s);      // before it holds more
//   ...
//   share.shrink_to(2 << 10);                                   // as soon as that is gone
//
// Two accounts are kept. What the process really holds is read from the kernel, at most once in a millisecond: frames,
// buffers, the allocator's slack, and what libraries take are all in it; shares that have grown since then are added.
// And what has been promised, which may not have been touched yet, is what the shares add up to. Something is admitted
// if it fits into both, so that the limit holds however late the memory is used, and however wrong the shares are.
//
// Waiting for room is first come, first served, and nothing is admitted at once while somebody waits. Requests that
// hold something while they wait for more could stop each other for good. So both accounts keep a reserve, of at least
// the largest single request (`keep_reserve`). It is lent to one share at a time, that which has waited longest, until
// that share ends.
//
// What is over the limit for lack of admission (a cache that grows, a share that was far too small) is not stopped by
// this: `runtime_options::frame_limit` is the wall behind it. Bytes: a share is 16; asking costs some nanoseconds, and
// a microsecond when the kernel is asked; a wait for room is a task of about 500.

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

/// What has been admitted, until this is destroyed. Move-only; not while `resize` is awaited.
class [[nodiscard]] memory_share {
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

  /// Ends it now.
  void release() noexcept;
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_and_flags_ & ~(has_reserve_flag | lasts_flag); }
  /// False if nothing was admitted.
  [[nodiscard]] explicit operator bool() const noexcept { return of_ != nullptr; }

  /// Grows to `bytes` if there is room and nobody waits for some; does nothing if it has as many. An empty share cannot
  /// grow.
  /// **Threads**: any, but one at a time for each share. So for all of them.
  [[nodiscard]] bool try_grow_to(std::size_t bytes) noexcept;

  /// Likewise; and where there is no other room, but nobody waits either, the reserve is lent to it. For what will need
  /// no more later.
  [[nodiscard]] bool try_grow_for_good(std::size_t bytes) noexcept;

  /// Gives back all that is more than `bytes`.
  void shrink_to(std::size_t bytes) noexcept;

  /// Makes it `bytes` large: shrinks at once, or waits for room for at most `patience`.
  /// **Errors**: false if there was no room in that time, or never will be; the share is as it was.
  /// **Cancellation**: it leaves the queue, and the share is as it was.
  [[nodiscard]] task<bool> resize(std::size_t bytes, std::chrono::nanoseconds patience);

  /// From now on it is of something that may last for ever, such as a stream of events: it gives back the reserve, and
  /// is lent it no more.
  void keep_from_reserve() noexcept;
  /// The reserve is lent to it.
  [[nodiscard]] bool has_reserve() const noexcept { return has(has_reserve_flag); }

 private:
  friend class memory_budget;
  explicit memory_share(memory_budget& of) noexcept : of_(&of) {}
  void swap(memory_share& other) noexcept {
    std::swap(of_, other.of_);
    std::swap(bytes_and_flags_, other.bytes_and_flags_);
  }

  static constexpr std::uint64_t has_reserve_flag = std::uint64_t{1} << 63U;
  static constexpr std::uint64_t lasts_flag = std::uint64_t{1} << 62U;
  [[nodiscard]] bool has(std::uint64_t flag) const noexcept { return (bytes_and_flags_ & flag) != 0; }

  memory_budget* of_ = nullptr;
  std::uint64_t bytes_and_flags_ = 0;
};

/// Any thread. Must outlive its shares.
class memory_budget {
 public:
  /// With another way to tell the bytes that the process holds; the default is its resident memory.
  explicit memory_budget(std::size_t limit, std::function<std::size_t()> held = {});
  memory_budget(const memory_budget&) = delete;
  memory_budget& operator=(const memory_budget&) = delete;
  ~memory_budget() = default;

  /// An empty share if so many bytes do not fit beside the reserve, or others wait for room.
  [[nodiscard]] memory_share try_admit(std::size_t bytes) noexcept;

  /// For the few requests that have to be answered when all others are refused, such as those that ask how the service
  /// is: a part of the reserve is for them, 128 KiB, and they do not wait behind others.
  [[nodiscard]] memory_share try_admit_urgent(std::size_t bytes) noexcept;

  /// Waits for room for at most `patience`; an empty share if there was none.
  /// **Cancellation**: it leaves the queue, and nothing is admitted.
  [[nodiscard]] task<memory_share> admit(std::size_t bytes, std::chrono::nanoseconds patience);

  /// Keeps at least so many bytes for whoever has waited longest: as many as a single request may hold. But no more
  /// than half of what there is; something larger gets the reserve and what is free.
  void keep_reserve(std::size_t bytes) noexcept;
  [[nodiscard]] std::size_t reserve() const noexcept { return reserve_.load(std::memory_order_relaxed); }

  /// Whether so many bytes would fit beside the reserve at this moment.
  [[nodiscard]] bool has_room(std::size_t bytes) noexcept;
  /// Whether a single share could ever have so many bytes.
  [[nodiscard]] bool could_ever_fit(std::size_t bytes) const noexcept;

  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
  /// What the process held when it was looked at last.
  [[nodiscard]] std::size_t held() noexcept;
  /// The sum of the shares.
  [[nodiscard]] std::size_t promised() const noexcept { return promised_.load(std::memory_order_relaxed); }
  /// Tasks that wait for room.
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.load(std::memory_order_relaxed); }
  /// How often there was no room, at once or in the time given.
  [[nodiscard]] std::uint64_t refusals() const noexcept { return refusals_.load(std::memory_order_relaxed); }

 private:
  friend class memory_share;
  class place_in_queue;
  enum class asker : std::uint8_t { anyone, first_in_queue, urgent };

  [[nodiscard]] bool is_limited() const noexcept { return limit_ != SIZE_MAX; }
  [[nodiscard]] bool grow(memory_share& share, std::size_t bytes, asker by) noexcept;
  void shrink(memory_share& share, std::size_t bytes) noexcept;
  void give_back_reserve(memory_share& share) noexcept;
  [[nodiscard]] task<bool> wait_for_room(memory_share& share, std::size_t bytes, std::chrono::nanoseconds patience);

  // Under the lock.
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
  std::size_t lent_bytes_ = 0;  ///< of the reserve, which the share that it is lent to has taken
  std::atomic<std::size_t> promised_ = 0;
  std::atomic<std::size_t> held_ = 0;
  std::size_t promised_since_ = 0;  ///< since `held_` was read
  std::int64_t looked_at_ = 0;      ///< nanoseconds of the clock
  std::atomic<std::int64_t> trimmed_at_ = 0;
  std::atomic<std::uint64_t> refusals_ = 0;
  std::atomic<std::size_t> waiting_ = 0;
  std::atomic<std::size_t> preceding_ = 0;  ///< of these, those that go before whoever does not wait
  semaphore turn_{1};                       ///< of whoever has waited longest
  semaphore lasting_turn_{1};               ///< likewise, of those that are never lent the reserve
};

/// The budget of the current runtime, of `runtime_options::memory_limit` bytes.
[[nodiscard]] memory_budget& memory() noexcept;

}  // namespace tare
