#pragma once

// A buffer for records that are on their way in or out, while there are any.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace tare::net::tls {

/// At the head of its own memory: one of the shard's warm buffers if that is enough, else from the heap.
class record_buffer {
 public:
  struct give_back {
    void operator()(record_buffer* buffer) const noexcept;
  };
  using owner = std::unique_ptr<record_buffer, give_back>;

  /// nullptr if there is no memory.
  [[nodiscard]] static owner make(std::size_t capacity) noexcept;
  /// Makes `buffer`, or one that replaces it with the same content, have `more` bytes of space. False if there is no
  /// memory: then nothing has changed.
  [[nodiscard]] static bool reserve(owner& buffer, std::size_t more) noexcept;

  /// What is in it.
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return {data() + begin_, end_ - begin_}; }
  /// What may be filled, and then added.
  [[nodiscard]] std::span<std::byte> space() noexcept { return {data() + end_, capacity_ - end_}; }
  [[nodiscard]] bool is_empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  void add(std::size_t bytes) noexcept { end_ += static_cast<std::uint32_t>(bytes); }
  void remove(std::size_t bytes) noexcept { begin_ += static_cast<std::uint32_t>(bytes); }
  /// Moves what is in it to the front.
  void compact() noexcept;

  /// Incoming: what has been decrypted and not taken yet, in the place of its record.
  std::span<std::byte> plain;
  /// Outgoing: the user's bytes that `try_write` has sealed and not reported as written: how many, and their hash. They
  /// are reported to the next write if they are its own first bytes.
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
