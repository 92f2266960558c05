#pragma once

// Bytes that have arrived, in a buffer lent from the shard's pool for as long as they are being used.
//
//   auto got = co_await s.read();               // result<lease>; no buffer exists until bytes do
//   if (!got) co_return fail(got.error());
//   if (got->empty()) co_return;                // end of stream
//   parse(got->bytes());
//
// 16 bytes. A buffer is 8 KiB; the pool keeps a few warm, the others go back to the shard's arena, which counts them.

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace tare::net {

namespace detail {

/// Gives a buffer of the pool back; any thread (src/io/buffer_pool.cpp).
void give_back_buffer(std::byte* buffer) noexcept;

}  // namespace detail

/// Move-only. May be handed to another shard, and may outlive its stream.
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

  /// For the library: takes over a buffer of the pool that holds `size` bytes.
  lease(std::byte* buffer, std::size_t size) noexcept : buffer_(buffer), size_(static_cast<std::uint32_t>(size)) {}

  /// What has not been consumed.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {buffer_ + begin_, size_}; }
  /// Likewise, for whoever decodes in place.
  [[nodiscard]] std::span<std::byte> writable_bytes() noexcept { return {buffer_ + begin_, size_}; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// Drops the first `count` bytes, or all if there are fewer; the buffer goes back with the last.
  void consume(std::size_t count) noexcept {
    if (count >= size_) {
      release();
    } else {
      begin_ += static_cast<std::uint32_t>(count);
      size_ -= static_cast<std::uint32_t>(count);
    }
  }

  /// Gives the buffer back now.
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
