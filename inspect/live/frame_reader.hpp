#pragma once

// Reads from a frame at which of its awaits it is suspended. Internal to inspect/.

#include "inspect/facts/coroutine.hpp"
#include "inspect/live/found_frame.hpp"
#include "inspect/memory/address_space.hpp"

#include <cstdint>
#include <span>

namespace tare::inspect {

/// A block of memory that has been read; memory outside it is read on demand.
class memory_window {
 public:
  memory_window(const address_space& memory, std::uint64_t begin, std::span<const std::byte> content)
      : memory_(memory), begin_(begin), content_(content) {}

  /// `bytes` bytes, at most 8, as a number; nullopt if they cannot be read.
  [[nodiscard]] std::optional<std::uint64_t> number(std::uint64_t address, std::size_t bytes) const;

 private:
  const address_space& memory_;
  std::uint64_t begin_;
  std::span<const std::byte> content_;
};

/// Reads the suspend index into the frame. False for a frame that g++'s code has destroyed: it has an odd index.
[[nodiscard]] bool read_index(const memory_window& from, const coroutine& coroutine, found_frame& frame);

}  // namespace tare::inspect
