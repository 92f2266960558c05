#pragma once

// A buffer for incoming or outgoing records. It exists only while there are any.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace tare::net::tls {

/// At the front of its own memory, which is one of the shard's warm buffers if that is large enough, else from the
/// heap.
class record_buffer {
 public:
  struct give_back {
    void operator()(record_buffer* buffer) const noexcept;
  };
  using owner = std::unique_ptr<record_buffer, give_back>;

  /// nullptr if out of memory.
  [[nodiscard]] static owner make(std::size_t capacity) noexcept;
  /// Makes sure that `buffer` has `more` bytes of free space, possibly by replacing it with a larger one that has the
  /// same content. False if out of memory; then nothing has changed.
  [[nodiscard]] static bool reserve(owner& buffer, std::size_t more) noexcept;

  /// The content.
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return {data() + begin_, end_ - begin_}; }
  /// Free space: fill it, then call `add`.
  [[nodiscard]] std::span<std::byte> space() noexcept { return {data() + end_, capacity_ - end_}; }
  [[nodiscard]] bool is_empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  void add(std::size_t bytes) noexcept { end_ += static_cast<std::uint32_t>(bytes); }
  void remove(std::size_t bytes) noexcept { begin_ += static_cast<std::uint32_t>(bytes); }
  /// Moves the content to the front.
  void compact() noexcept;

  /// For incoming records: what has been decrypted but not taken yet, in the place of its record.
  std::span<std::byte> plain;
  /// For outgoing records: the number and the hash of the user's bytes that `try_write` has sealed but not reported as
  /// written. They are reported to the next write if it begins with the same bytes.
  std::size_t unreported = 0;
  std::size_t unreported_hash = 0;

 private:
  record_buffer(std::size_t capacity, bool is_warm) noexcept
      : capacity_(static_cast<std::uint32_t>(capacity)), is_warm_(is_warm) {}
  [[nodiscard]] std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this + 1); }

  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
  std::uint32_t capacity_;
  bool is_warm_;
};

}  // namespace tare::net::tls
