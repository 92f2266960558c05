#pragma once

// Received bytes, in a buffer borrowed from the shard's pool while they are in use.
//
//   auto got = co_await s.read();               // result<lease>; no buffer exists until bytes do
//   if (!got) co_return fail(got.error());
//   if (got->empty()) co_return;                // end of stream
//   parse(got->bytes());
//
// **Errors** None. **Cancellation** Nothing here waits. **Threads** Any, one at a time. **Bytes** 16. A buffer is 8
// KiB. The pool caches a few buffers; the others return to the shard's arena, which counts them.

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace tare::net {

namespace detail {

/// Returns a buffer to the pool; any thread (src/io/buffer_pool.cpp).
void give_back_buffer(std::byte* buffer) noexcept;

}  // namespace detail

/// Move-only. May be moved to another shard, and may outlive its stream.
class lease {
 public:
  lease() noexcept = default;
  lease(lease&& other) noexcept
      : buffer_(std::exchange(other.buffer_, nullptr)), begin_(other.begin_), size_(std::exchange(other.size_, 0)) {}
  lease& operator=(lease&& other) noexcept {
    lease moved(std::move(other));
    std::swap(buffer_, moved.buffer_);
    std::swap(begin_, moved.begin_);
    std::swap(size_, moved.size_);
    return *this;
  }
  lease(const lease&) = delete;
  lease& operator=(const lease&) = delete;
  ~lease() { release(); }

  /// For the library: takes ownership of a pool buffer that holds `size` bytes.
  lease(std::byte* buffer, std::size_t size) noexcept : buffer_(buffer), size_(static_cast<std::uint32_t>(size)) {}

  /// The bytes that have not been consumed.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {buffer_ + begin_, size_}; }
  /// The same, for decoding in place.
  [[nodiscard]] std::span<std::byte> writable_bytes() noexcept { return {buffer_ + begin_, size_}; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// Drops the first `count` bytes, or all if there are fewer. When the last byte is dropped, the buffer is returned.
  void consume(std::size_t count) noexcept {
    if (count >= size_) {
      release();
    } else {
      begin_ += static_cast<std::uint32_t>(count);
      size_ -= static_cast<std::uint32_t>(count);
    }
  }

  /// Returns the buffer now.
  void release() noexcept {
    size_ = begin_ = 0;
    if (buffer_ != nullptr) detail::give_back_buffer(std::exchange(buffer_, nullptr));
  }

 private:
  std::byte* buffer_ = nullptr;
  std::uint32_t begin_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace tare::net
