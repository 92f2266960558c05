#pragma once

// Buffers for received bytes, lent as leases. A few stay cached while there is work; all others return to the arena.

#include <array>
#include <cstddef>

namespace tare::detail {

class buffer_pool {
 public:
  buffer_pool() noexcept = default;
  ~buffer_pool() { trim(); }
  buffer_pool(const buffer_pool&) = delete;
  buffer_pool& operator=(const buffer_pool&) = delete;

  static constexpr std::size_t buffer_bytes = 8192;
  /// Number of returned buffers that are cached until the shard has been idle for a while: as many as fit in a slab.
  static constexpr std::size_t max_warm = 8;

  /// nullptr if there is no memory.
  [[nodiscard]] std::byte* take() noexcept;
  /// `buffer` must be from this pool's shard.
  void give_back(std::byte* buffer) noexcept;

  void trim() noexcept;
  [[nodiscard]] bool is_trimmed() const noexcept { return count_ == 0; }

 private:
  std::array<std::byte*, max_warm> warm_{};
  std::size_t count_ = 0;
};

}  // namespace tare::detail
