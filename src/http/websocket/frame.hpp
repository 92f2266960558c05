#pragma once

// Frames of RFC 6455: parsing them from the bytes of a connection, and writing the heads of frames to send. Independent
// of sockets and tasks.

#include "http/websocket/utf8.hpp"

#include <tare/http/detail/websocket_awaits.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tare::http::detail {

/// Codes of section 7.4.1 that this library sends itself.
enum class close_code : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  no_status = 1005,  ///< never sent: a close frame without a code
  bad_text = 1007,
  too_large = 1009,
  internal_error = 1011,
  try_again_later = 1013,
};

/// What a client masks a frame with (section 5.3).
using frame_mask = std::array<std::byte, 4>;
/// Masks, or unmasks, bytes that begin at this position of the payload.
void apply_mask(std::span<std::byte> bytes, const frame_mask& mask, std::size_t position) noexcept;

class frame_reader {
 public:
  enum class progress : std::uint8_t {
    incomplete,  ///< all bytes were consumed and more are needed
    message,     ///< `message()` is complete: text or binary
    ping,        ///< `control()` is its payload
    pong,
    close,   ///< `code()`, and `control()` is the reason
    failed,  ///< `failure()` is the code to close with
  };
  enum class role : std::uint8_t { server, client };

  /// A server accepts only masked frames, a client only unmasked ones. Messages may be compressed if that has been
  /// negotiated (RFC 7692).
  frame_reader(role as, std::size_t max_message_bytes, bool may_be_compressed = false) noexcept
      : max_bytes_(max_message_bytes), role_(as), may_be_compressed_(may_be_compressed) {}

  /// Parses up to the next event. Then `consumed()` bytes of `bytes` have been processed, and unmasked in place.
  /// If `is_limited` is false, a message may be of any length: its payload must be taken after each call, which ends
  /// with a frame at the latest.
  [[nodiscard]] progress feed(std::span<std::byte> bytes, bool is_limited = true);
  [[nodiscard]] std::size_t consumed() const noexcept { return consumed_; }

  /// Between two messages: nothing of the next has arrived.
  [[nodiscard]] bool is_idle() const noexcept { return head_bytes_ == 0 && !in_frame_ && !in_message_; }
  /// Bytes held by the message being assembled.
  [[nodiscard]] std::size_t held_bytes() const noexcept { return message_.capacity(); }
  /// Between the first frame of a message and its end.
  [[nodiscard]] bool is_in_message() const noexcept { return in_message_; }
  /// The complete message, or what has arrived of it; taking it makes room for what follows.
  [[nodiscard]] std::string take_message() noexcept;
  [[nodiscard]] std::string_view message() const noexcept { return message_; }
  [[nodiscard]] bool is_text() const noexcept { return message_is_text_; }
  /// The message must be decompressed; only then it can be checked that a text is UTF-8.
  [[nodiscard]] bool is_compressed() const noexcept { return message_is_compressed_; }
  [[nodiscard]] std::string_view control() const noexcept { return control_; }
  [[nodiscard]] std::uint16_t code() const noexcept { return code_; }
  [[nodiscard]] close_code failure() const noexcept { return failure_; }

 private:
  [[nodiscard]] progress fail(close_code why) noexcept {
    failure_ = why;
    return progress::failed;
  }
  [[nodiscard]] std::size_t head_size() const noexcept;
  /// What does not compress becomes a little larger.
  [[nodiscard]] std::size_t max_payload_bytes() const noexcept {
    return message_is_compressed_ ? max_bytes_ + max_bytes_ / 1024 + 64 : max_bytes_;
  }
  /// Processes a complete head; false if it violates the protocol.
  [[nodiscard]] bool begin_frame() noexcept;
  [[nodiscard]] bool take_payload(std::span<std::byte> piece);
  [[nodiscard]] progress end_frame() noexcept;
  [[nodiscard]] bool is_control() const noexcept { return (static_cast<unsigned>(opcode_) & 0x8U) != 0; }

  std::string message_;
  std::string control_;
  std::size_t max_bytes_;
  std::size_t consumed_ = 0;
  std::uint64_t left_ = 0;  ///< of the frame's payload
  std::array<std::byte, 14> head_{};
  frame_mask mask_{};
  std::uint16_t code_ = 0;
  close_code failure_ = close_code::protocol_error;
  std::uint8_t head_bytes_ = 0;  ///< of `head_` that have arrived
  std::uint8_t mask_at_ = 0;
  opcode opcode_ = opcode::continuation;
  role role_;
  utf8_check text_;
  bool final_ = false;
  bool in_frame_ = false;
  bool in_message_ = false;  ///< between the first frame and the final one
  bool message_is_text_ = false;
  bool may_be_compressed_ = false;
  bool message_is_compressed_ = false;
};

/// The head of a final frame.
class frame_head {
 public:
  frame_head(opcode code, std::size_t payload_bytes) noexcept;
  /// The payload will be masked.
  frame_head(opcode code, std::size_t payload_bytes, const frame_mask& mask) noexcept;
  /// The message is compressed.
  void mark_compressed() noexcept { bytes_[0] |= std::byte{0x40}; }
  /// Another frame of the message follows.
  void mark_continued() noexcept { bytes_[0] &= std::byte{0x7F}; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return std::span(bytes_).first(size_); }

 private:
  std::array<std::byte, 14> bytes_{};
  std::size_t size_;
};

/// Whether a peer may send this code (section 7.4).
[[nodiscard]] bool is_valid_close_code(unsigned code) noexcept;

/// Sec-WebSocket-Accept for a Sec-WebSocket-Key (section 4.2.2). Empty if the key is not 16 bytes in base64.
[[nodiscard]] std::string accept_key(std::string_view key);

}  // namespace tare::http::detail
