#pragma once

// A limit on the memory of the process, kept by asking before work is let in.
//
//   tare::runtime rt({.memory_limit = 512 << 20});
//   ...
//   auto share = tare::memory().try_admit(64 << 10);        // what the request may take at most
//   if (!share) co_return refuse(503);
//
// Two things are looked at. What the process really holds is read from the kernel, at most once in a millisecond:
// frames, buffers, the allocator's slack, and what libraries take are all in it. What has been promised, but may not
// have been touched yet, is what the shares add up to. Work is admitted if it fits beside both, so that the limit holds
// however late the memory is used, and however wrong the shares turn out later.
//
// What is over the limit for lack of admission (a cache that grows, a share that was far too small) is not stopped by
// this: `runtime_options::frame_limit` is the wall behind it. Bytes: a share is 16; asking costs some nanoseconds, and
// a microsecond when the kernel is asked.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace tare {

class memory_budget;

/// What has been admitted, until this is destroyed. Move-only.
class [[nodiscard]] memory_share {
 public:
  memory_share() noexcept = default;
  memory_share(memory_share&& other) noexcept
      : of_(std::exchange(other.of_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  memory_share& operator=(memory_share&& other) noexcept {
    memory_share moved(std::move(other));
    std::swap(of_, moved.of_);
    std::swap(bytes_, moved.bytes_);
    return *this;
  }
  memory_share(const memory_share&) = delete;
  memory_share& operator=(const memory_share&) = delete;
  ~memory_share() { release(); }

  /// Ends it now.
  void release() noexcept;
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  /// False if nothing was admitted.
  [[nodiscard]] explicit operator bool() const noexcept { return of_ != nullptr; }

 private:
  friend class memory_budget;
  memory_share(memory_budget& of, std::size_t bytes) noexcept : of_(&of), bytes_(bytes) {}

  memory_budget* of_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Any thread. Must outlive its shares.
class memory_budget {
 public:
  /// With another way to tell the bytes that the process holds; the default is its resident memory.
  explicit memory_budget(std::size_t limit, std::function<std::size_t()> held = {});
  memory_budget(const memory_budget&) = delete;
  memory_budget& operator=(const memory_budget&) = delete;
  ~memory_budget() = default;

  /// An empty share if so many bytes do not fit.
  [[nodiscard]] memory_share try_admit(std::size_t bytes) noexcept;

  /// Whether so many bytes would fit at this moment.
  [[nodiscard]] bool has_room(std::size_t bytes) noexcept;

  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
  /// What the process held when it was looked at last.
  [[nodiscard]] std::size_t held() noexcept;
  /// The sum of the shares.
  [[nodiscard]] std::size_t promised() const noexcept { return promised_.load(std::memory_order_relaxed); }
  /// How often `try_admit` has given nothing.
  [[nodiscard]] std::uint64_t refusals() const noexcept { return refusals_.load(std::memory_order_relaxed); }

 private:
  friend class memory_share;

  [[nodiscard]] bool fits(std::size_t bytes, std::size_t promised) noexcept;
  void look() noexcept;
  void make_room() noexcept;

  std::size_t limit_;
  std::function<std::size_t()> ask_;
  std::size_t base_ = 0;  ///< what the process held before anything was admitted
  std::atomic<std::size_t> promised_ = 0;
  std::atomic<std::size_t> held_ = 0;
  std::atomic<std::size_t> promised_since_ = 0;  ///< since `held_` was read
  std::atomic<std::int64_t> looked_at_ = 0;      ///< nanoseconds of the steady clock
  std::atomic<std::int64_t> trimmed_at_ = 0;
  std::atomic<std::uint64_t> refusals_ = 0;
};

inline void memory_share::release() noexcept {
  if (memory_budget* of = std::exchange(of_, nullptr); of != nullptr) {
    of->promised_.fetch_sub(bytes_, std::memory_order_relaxed);
  }
}

/// The budget of the current runtime, of `runtime_options::memory_limit` bytes.
[[nodiscard]] memory_budget& memory() noexcept;

}  // namespace tare
