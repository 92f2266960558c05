#pragma once

// Checks whether bytes that arrive in pieces are UTF-8 (RFC 3629: no surrogates, nothing beyond U+10FFFF, no long
// forms).

#include <cstdint>
#include <string_view>

namespace tare::http::detail {

class utf8_check {
 public:
  /// False as soon as no continuation can be valid.
  [[nodiscard]] bool feed(std::string_view piece) noexcept {
    for (const char c : piece) {
      const auto byte = static_cast<std::uint8_t>(c);
      if (left_ == 0) {
        if (byte < 0x80) continue;
        if (!begin(byte)) return false;
      } else {
        if (byte < low_ || byte > high_) return false;
        low_ = 0x80;
        high_ = 0xBF;
        --left_;
      }
    }
    return true;
  }
  /// True if no character is incomplete.
  [[nodiscard]] bool complete() const noexcept { return left_ == 0; }

 private:
  [[nodiscard]] bool begin(std::uint8_t byte) noexcept {
    low_ = 0x80;
    high_ = 0xBF;
    if (byte >= 0xC2 && byte <= 0xDF) {
      left_ = 1;
    } else if (byte >= 0xE0 && byte <= 0xEF) {
      left_ = 2;
      if (byte == 0xE0) low_ = 0xA0;
      if (byte == 0xED) high_ = 0x9F;
    } else if (byte >= 0xF0 && byte <= 0xF4) {
      left_ = 3;
      if (byte == 0xF0) low_ = 0x90;
      if (byte == 0xF4) high_ = 0x8F;
    } else {
      return false;
    }
    return true;
  }

  std::uint8_t left_ = 0;  ///< bytes of the character yet to arrive
  std::uint8_t low_ = 0x80;
  std::uint8_t high_ = 0xBF;
};

}  // namespace tare::http::detail
