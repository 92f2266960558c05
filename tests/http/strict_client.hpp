#pragma once

// What a strictly conforming client makes of everything that a server has sent on one connection. The tests give each
// message its own filler character, so that bytes in the wrong message are detected.

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::test {

struct strict_message {
  unsigned status = 0;  ///< for a response
  unsigned opcode = 0;  ///< for a frame
  std::string body;     ///< as far as it has arrived
  bool complete = false;
  bool is_final = true;  ///< for a frame
};

/// Reads final responses one after another, and skips interim ones. `error` says what a client would not accept.
class strict_client {
 public:
  /// If `to_head`, the first response is to a HEAD request.
  explicit strict_client(std::string_view sent, bool to_head = false) : rest_(sent), to_head_(to_head) {}

  [[nodiscard]] std::vector<strict_message> responses() {
    std::vector<strict_message> all;
    while (!rest_.empty() && error_.empty()) {
      strict_message next;
      if (!read_head(next)) break;
      if (next.status == 100 || next.status == 103) continue;
      if (next.status == 101) {
        next.complete = true;
        all.push_back(next);
        break;  // frames follow
      }
      read_body(next);
      all.push_back(next);
      if (!next.complete) break;
    }
    return all;
  }

  /// The frames that a server has sent after its 101. Messages may be `in_pieces`, and then compressed, too.
  [[nodiscard]] std::vector<strict_message> frames(bool in_pieces = false) {
    in_pieces_ = in_pieces;
    std::vector<strict_message> all;
    while (!rest_.empty() && error_.empty()) {
      strict_message next;
      if (!read_frame(next)) break;
      if (!all.empty() && all.back().opcode == 8) error_ = "a frame after the close frame";
      all.push_back(next);
    }
    return all;
  }

  [[nodiscard]] const std::string& error() const noexcept { return error_; }

 private:
  /// False if it is truncated or invalid.
  bool read_head(strict_message& to) {
    constexpr std::string_view version = "HTTP/1.1 ";
    if (rest_.substr(0, version.size()) != version.substr(0, rest_.size()))
      return fail("not the beginning of a response");
    const std::size_t end = rest_.find("\r\n\r\n");
    const std::string_view head = rest_.substr(0, end == std::string_view::npos ? end : end + 2);
    if (!check_lines(head, end != std::string_view::npos)) return false;
    if (end == std::string_view::npos) return cut_off();
    to.status = static_cast<unsigned>(number_in(head.substr(version.size(), 3), 10).value_or(0));
    length_ = {};
    chunked_ = head.find("\r\ntransfer-encoding: chunked\r\n") != std::string_view::npos;
    const std::size_t length = head.find("\r\ncontent-length: ");
    if (length != std::string_view::npos) {
      const std::string_view value = head.substr(length + 18);
      length_ = number_in(value.substr(0, value.find('\r')), 10);
      if (!length_) return fail("an invalid length");
    }
    rest_.remove_prefix(end + 4);
    return true;
  }

  /// Each line except the first is "name: value"; only the last one may be truncated.
  bool check_lines(std::string_view head, bool complete) {
    bool first = true;
    while (!head.empty()) {
      const std::size_t end = head.find("\r\n");
      if (end == std::string_view::npos) return complete ? fail("a line without an end") : true;
      const std::string_view line = head.substr(0, end);
      if (line.empty()) return true;
      const bool status_line = line.starts_with("HTTP/");
      if (first != status_line) return fail("a status line in a head");
      if (!first && line.find(": ") == std::string_view::npos) return fail("a line that is not a field");
      first = false;
      head.remove_prefix(end + 2);
    }
    return true;
  }

  void read_body(strict_message& to) {
    if (to.status == 204 || to.status == 304 || std::exchange(to_head_, false)) {
      to.complete = true;
    } else if (chunked_) {
      read_chunks(to);
    } else if (length_) {
      to.body = rest_.substr(0, *length_);
      rest_.remove_prefix(to.body.size());
      to.complete = to.body.size() == *length_;
    } else {
      to.body = rest_;  // until the end of the connection
      rest_ = {};
    }
  }

  void read_chunks(strict_message& to) {
    for (;;) {
      const std::size_t end = rest_.find("\r\n");
      const auto size = number_in(rest_.substr(0, end), 16);
      if (end == std::string_view::npos) {
        const bool digits = size.has_value() || rest_.empty() || rest_.ends_with('\r');
        if (!digits) error_ = "a chunk without a size";
        rest_ = {};
        return;
      }
      if (!size) return void(fail("a chunk without a size"));
      rest_.remove_prefix(end + 2);
      to.body += rest_.substr(0, *size);
      rest_.remove_prefix(std::min<std::size_t>(*size, rest_.size()));
      constexpr std::string_view line_end = "\r\n";
      if (rest_.substr(0, 2) != line_end.substr(0, rest_.size())) return void(fail("a chunk without an end"));
      if (rest_.size() < 2) {
        rest_ = {};
        return;
      }
      rest_.remove_prefix(2);
      if (*size == 0) {
        to.complete = true;
        return;
      }
    }
  }

  bool read_frame(strict_message& to) {
    const auto byte = [this](std::size_t at) { return static_cast<unsigned char>(rest_[at]); };
    to.opcode = byte(0) & 0x0FU;
    if (to.opcode > 2 && (to.opcode < 8 || to.opcode > 10)) return fail("an unknown frame");
    to.is_final = byte(0) >= 0x80U;
    if ((!in_pieces_ || to.opcode >= 8) && !to.is_final) return fail("a frame that is not final");
    const unsigned reserved = in_pieces_ && (to.opcode == 1 || to.opcode == 2) ? 0x30U : 0x70U;
    if ((byte(0) & reserved) != 0) return fail("a frame with reserved bits");
    if (to.opcode < 8) {
      if ((to.opcode == 0) != in_message_) return fail("a frame of another message");
      in_message_ = !to.is_final;
    }
    if (rest_.size() < 2) return cut_off();
    std::uint64_t length = byte(1);
    if (length > 127) return fail("a masked frame");
    const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (to.opcode >= 8 && more != 0) return fail("a control frame that is too long");
    if (rest_.size() < 2 + more) return cut_off();
    if (more != 0) length = 0;
    for (std::size_t i = 0; i < more; ++i) length = length << 8U | byte(2 + i);
    if ((more == 2 && length < 126) || (more == 8 && length <= 0xFFFF)) return fail("a length that is too long");
    rest_.remove_prefix(2 + more);
    to.body = rest_.substr(0, length);
    to.complete = to.body.size() == length;
    rest_.remove_prefix(to.body.size());
    return true;
  }

  bool fail(std::string_view what) {
    error_ = what;
    rest_ = {};
    return false;
  }
  bool cut_off() {
    rest_ = {};
    return false;
  }

  static std::optional<std::uint64_t> number_in(std::string_view text, int base) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
  }

  std::string_view rest_;
  bool in_pieces_ = false;
  bool in_message_ = false;
  std::string error_;
  std::optional<std::uint64_t> length_;
  bool chunked_ = false;
  bool to_head_;
};

}  // namespace tare::test
