#include "sim/wire_checkers.hpp"

#include <algorithm>

namespace tare::testing {

std::string websocket_frames::check(std::string_view bytes) {
  while (!bytes.empty()) {
    if (has_closed_) return "bytes after the close frame";
    if (left_ != 0) {
      const std::size_t size = std::min<std::uint64_t>(left_, bytes.size());
      bytes.remove_prefix(size);
      left_ -= size;
      if (left_ == 0) end_frame();
      continue;
    }
    head_ += bytes.front();
    bytes.remove_prefix(1);
    std::string wrong;
    if (head_.size() == 1) wrong = check_first();
    if (head_.size() == 2) wrong = check_second();
    if (wrong.empty() && head_.size() >= 2 && head_.size() == head_size()) wrong = check_length();
    if (!wrong.empty()) return "WebSocket: " + wrong;
  }
  return {};
}

std::string websocket_frames::check_first() const {
  const bool is_final = (byte(0) & 0x80U) != 0;
  const bool is_compressed = (byte(0) & 0x40U) != 0;
  const bool is_control = code() >= 8;
  if ((byte(0) & 0x30U) != 0) return "reserved bits are set";
  if (code() > 10 || (code() > 2 && code() < 8)) return "opcode " + std::to_string(code());
  if (is_compressed && (!compresses_ || is_control || code() == 0)) return "a frame that may not be compressed";
  if (is_control && !is_final) return "a control frame in pieces";
  if (code() == 0 && !in_message_) return "a continuation of nothing";
  if (!is_control && code() != 0 && in_message_) return "a message inside another one";
  return {};
}

std::string websocket_frames::check_second() const {
  const unsigned length = byte(1) & 127U;
  if (((byte(1) & 0x80U) != 0) != masks_)
    return masks_ ? "a client's frame without a mask" : "a server's frame with a mask";
  if (code() >= 8 && length > 125) return "a large control frame";
  if (code() == 8 && length == 1) return "a close frame of one byte";
  return {};
}

std::size_t websocket_frames::head_size() const noexcept {
  const unsigned length = byte(1) & 127U;
  return 2U + (length == 126 ? 2U : 0U) + (length == 127 ? 8U : 0U) + (masks_ ? 4U : 0U);
}

std::string websocket_frames::check_length() {
  const unsigned length = byte(1) & 127U;
  left_ = length;
  if (length > 125) {
    left_ = 0;
    for (std::size_t i = 0; i < (length == 126 ? 2U : 8U); ++i) left_ = left_ << 8U | byte(2 + i);
    if (left_ < (length == 126 ? 126U : 65536U)) return "a length that is not the shortest";
    if (left_ >> 63U != 0) return "a length of more than 63 bits";
  }
  if (left_ == 0) end_frame();
  return {};
}

void websocket_frames::end_frame() noexcept {
  has_closed_ = code() == 8;
  if (code() < 8) in_message_ = (byte(0) & 0x80U) == 0;
  head_.clear();
}

}  // namespace tare::testing
