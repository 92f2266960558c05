#include "net/tls/record_boundary.hpp"

#include <algorithm>

namespace tare::net::tls {

void record_boundary::advance(std::span<const std::byte> bytes) noexcept {
  constexpr auto first_type = std::byte{20};
  constexpr auto last_type = std::byte{23};
  constexpr auto major_version = std::byte{3};
  while (!bytes.empty() && is_valid_) {
    if (header_count_ == 0 && body_left_ != 0) {
      const std::size_t here = std::min<std::size_t>(body_left_, bytes.size());
      body_left_ = static_cast<std::uint16_t>(body_left_ - here);
      bytes = bytes.subspan(here);
      continue;
    }
    const std::byte next = bytes.front();
    bytes = bytes.subspan(1);
    switch (header_count_++) {
      case 0:
        ++records_;
        is_valid_ = next >= first_type && next <= last_type;
        break;
      case 1:
        is_valid_ = next == major_version;
        break;
      case 3:
        body_left_ = static_cast<std::uint16_t>(std::to_integer<unsigned>(next) << 8U);
        break;
      case 4:
        body_left_ = static_cast<std::uint16_t>(body_left_ | std::to_integer<unsigned>(next));
        header_count_ = 0;
        break;
      default:
        break;
    }
  }
}

}  // namespace tare::net::tls
