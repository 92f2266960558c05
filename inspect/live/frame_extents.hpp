#pragma once

// The address ranges of the frames that were found. Internal to inspect/.

#include "inspect/facts/coroutine.hpp"
#include "inspect/live/found_frame.hpp"
#include "inspect/memory/address_space.hpp"

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace tare::inspect {

/// Of frames by address. Those that were merged lie inside of others.
class frame_extents {
 public:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  frame_extents(std::span<const found_frame> frames, std::span<const coroutine> coroutines);

  /// The number of the innermost frame that contains an address.
  [[nodiscard]] std::uint32_t frame_at(std::uint64_t address) const noexcept;
  /// The innermost frame around this one.
  [[nodiscard]] std::uint32_t around(std::uint32_t frame) const noexcept { return parts_[frame].around; }
  [[nodiscard]] bool is_inside(std::uint32_t inner, std::uint32_t outer) const noexcept;

  /// From its beginning to the end of the promise.
  [[nodiscard]] address_range head(std::uint32_t frame) const noexcept {
    return {.begin = parts_[frame].begin, .end = parts_[frame].begin + parts_[frame].head_bytes};
  }
  /// The part after the promise: parameters, variables, awaiters.
  [[nodiscard]] address_range body(std::uint32_t frame) const noexcept {
    return {.begin = head(frame).end, .end = parts_[frame].end};
  }

 private:
  struct part {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint32_t head_bytes = 0;
    std::uint32_t around = none;
  };
  std::vector<part> parts_;
  std::uint64_t end_ = 0;  ///< of all
};

}  // namespace tare::inspect
