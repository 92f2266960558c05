#include "inspect/machine/arithmetic.hpp"

namespace tare::inspect {

std::uint64_t width_mask(std::uint32_t bytes) {
  return bytes >= 8 || bytes == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << (bytes * 8)) - 1;
}

std::int64_t sign_extended(std::uint64_t number, std::uint32_t bytes) {
  switch (bytes) {
    case 1:
      return static_cast<std::int8_t>(number);
    case 2:
      return static_cast<std::int16_t>(number);
    case 4:
      return static_cast<std::int32_t>(number);
    default:
      return static_cast<std::int64_t>(number);
  }
}

void advance(value& pointer, std::uint64_t distance) {
  if (pointer.is_constant()) {
    for (auto& each : pointer.constants) each.value += distance;
  } else {
    pointer.offset += static_cast<std::int64_t>(distance);
  }
}

value truncated(value from, std::uint32_t bytes) {
  if (from.is_constant() && bytes < 8) {
    map_constants(from, [bytes](std::uint64_t number) { return number & width_mask(bytes); });
  }
  return from;
}

}  // namespace tare::inspect
