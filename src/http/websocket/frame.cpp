#include "http/websocket/frame.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tare::http::detail {

namespace {

constexpr unsigned max_control_bytes = 125;
constexpr unsigned length_of_16_bits = 126;
constexpr unsigned length_of_64_bits = 127;

unsigned value_of(std::byte byte) noexcept { return std::to_integer<unsigned>(byte); }

}  // namespace

void apply_mask(std::span<std::byte> bytes, const frame_mask& mask, std::size_t position) noexcept {
  // Word by word, with the mask rotated to the current position.
  std::array<std::byte, 8> turned{};
  for (std::size_t i = 0; i < turned.size(); ++i) turned.at(i) = mask.at((position + i) % mask.size());
  std::uint64_t word_mask = 0;
  std::memcpy(&word_mask, turned.data(), sizeof word_mask);
  std::size_t index = 0;
  for (; index + sizeof word_mask <= bytes.size(); index += sizeof word_mask) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + index, sizeof word);
    word ^= word_mask;
    std::memcpy(bytes.data() + index, &word, sizeof word);
  }
  for (; index < bytes.size(); ++index) bytes[index] ^= turned.at(index % turned.size());
}

bool is_valid_close_code(unsigned code) noexcept {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

std::size_t frame_reader::head_size() const noexcept {
  if (head_bytes_ < 2) return 2;
  const unsigned length = value_of(head_[1]) & 0x7FU;
  const std::size_t mask = (value_of(head_[1]) & 0x80U) != 0 ? 4 : 0;
  if (length == length_of_16_bits) return 4 + mask;
  if (length == length_of_64_bits) return 10 + mask;
  return 2 + mask;
}

bool frame_reader::begin_frame() noexcept {
  const unsigned first = value_of(head_[0]);
  const unsigned second = value_of(head_[1]);
  const bool masked = (second & 0x80U) != 0;
  const bool is_compressed = (first & 0x40U) != 0;
  if ((first & 0x30U) != 0 || (is_compressed && !may_be_compressed_)) return false;  // of no negotiated extension
  if (masked != (role_ == role::server)) return false;
  final_ = (first & 0x80U) != 0;
  opcode_ = static_cast<opcode>(first & 0x0FU);
  unsigned length_bytes = 0;
  if ((second & 0x7FU) == length_of_16_bits) length_bytes = 2;
  if ((second & 0x7FU) == length_of_64_bits) length_bytes = 8;
  left_ = second & 0x7FU;
  if (length_bytes != 0) {
    left_ = 0;
    for (unsigned i = 0; i < length_bytes; ++i) left_ = left_ << 8U | value_of(head_.at(2 + i));
    // Only the shortest form is valid, and the highest bit is 0.
    if (left_ < (length_bytes == 2 ? 126U : 0x10000U) || left_ >> 63U != 0) return false;
  }
  if (masked) std::copy_n(head_.begin() + 2 + length_bytes, 4, mask_.begin());
  mask_at_ = 0;

  switch (opcode_) {
    case opcode::continuation:
      return in_message_ && !is_compressed;
    case opcode::text:
    case opcode::binary:
      if (in_message_) return false;
      in_message_ = true;
      message_is_text_ = opcode_ == opcode::text;
      message_is_compressed_ = is_compressed;
      text_ = {};
      return true;
    case opcode::close:
    case opcode::ping:
    case opcode::pong:
      control_.clear();
      return final_ && left_ <= max_control_bytes && !is_compressed;
  }
  return false;
}

bool frame_reader::take_payload(std::span<std::byte> piece) {
  if (role_ == role::server) {
    apply_mask(piece, mask_, mask_at_);
    mask_at_ = static_cast<std::uint8_t>((mask_at_ + piece.size()) % 4);
  }
  const std::string_view text(reinterpret_cast<const char*>(piece.data()), piece.size());
  (is_control() ? control_ : message_).append(text);
  return is_control() || !message_is_text_ || message_is_compressed_ || text_.feed(text);
}

frame_reader::progress frame_reader::end_frame() noexcept {
  in_frame_ = false;
  head_bytes_ = 0;
  switch (opcode_) {
    case opcode::ping:
      return progress::ping;
    case opcode::pong:
      return progress::pong;
    case opcode::close: {
      code_ = std::to_underlying(close_code::no_status);
      if (control_.empty()) return progress::close;
      if (control_.size() == 1) return fail(close_code::protocol_error);
      code_ = static_cast<std::uint16_t>(static_cast<unsigned char>(control_[0]) << 8U |
                                         static_cast<unsigned char>(control_[1]));
      control_.erase(0, 2);
      if (!is_valid_close_code(code_)) return fail(close_code::protocol_error);
      utf8_check reason;
      if (!reason.feed(control_) || !reason.complete()) return fail(close_code::bad_text);
      return progress::close;
    }
    default:
      if (!final_) return progress::incomplete;
      in_message_ = false;
      if (message_is_text_ && !message_is_compressed_ && !text_.complete()) return fail(close_code::bad_text);
      return progress::message;
  }
}

frame_reader::progress frame_reader::feed(std::span<std::byte> bytes, bool is_limited) {
  consumed_ = 0;
  for (;;) {
    const std::span<std::byte> rest = bytes.subspan(consumed_);
    if (!in_frame_) {
      const std::size_t missing = head_size() - head_bytes_;
      const std::size_t taken = std::min(missing, rest.size());
      std::copy_n(rest.begin(), taken, head_.begin() + head_bytes_);
      head_bytes_ = static_cast<std::uint8_t>(head_bytes_ + taken);
      consumed_ += taken;
      if (head_bytes_ < head_size()) {
        if (taken == rest.size()) return progress::incomplete;
        continue;  // the first two bytes say that there are more
      }
      if (!begin_frame()) return fail(close_code::protocol_error);
      in_frame_ = true;
      continue;
    }
    // Also of a frame that began when there was no limit.
    if (is_limited && !is_control() &&
        (message_.size() > max_payload_bytes() || left_ > max_payload_bytes() - message_.size())) {
      return fail(close_code::too_large);
    }
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
    if (!take_payload(rest.first(taken))) return fail(close_code::bad_text);
    left_ -= taken;
    consumed_ += taken;
    if (left_ != 0) return progress::incomplete;
    const progress reached = end_frame();
    if (reached != progress::incomplete || consumed_ == bytes.size() || !is_limited) return reached;
  }
}

std::string frame_reader::take_message() noexcept { return std::exchange(message_, {}); }

frame_head::frame_head(opcode code, std::size_t payload_bytes) noexcept {
  bytes_[0] = std::byte{static_cast<std::uint8_t>(0x80U | std::to_underlying(code))};
  unsigned length_bytes = 0;
  if (payload_bytes > 0xFFFF) {
    bytes_[1] = std::byte{length_of_64_bits};
    length_bytes = 8;
  } else if (payload_bytes > max_control_bytes) {
    bytes_[1] = std::byte{length_of_16_bits};
    length_bytes = 2;
  } else {
    bytes_[1] = std::byte{static_cast<std::uint8_t>(payload_bytes)};
  }
  for (unsigned i = 0; i < length_bytes; ++i) {
    bytes_.at(2 + i) = static_cast<std::byte>(payload_bytes >> (8U * (length_bytes - 1 - i)));
  }
  size_ = 2 + length_bytes;
}

frame_head::frame_head(opcode code, std::size_t payload_bytes, const frame_mask& mask) noexcept
    : frame_head(code, payload_bytes) {
  bytes_[1] |= std::byte{0x80};
  std::ranges::copy(mask, bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
  size_ += mask.size();
}

}  // namespace tare::http::detail
