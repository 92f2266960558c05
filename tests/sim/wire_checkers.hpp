#pragma once

// Checkers of protocols for simulated connections. They know only what goes over the wire, and share no code with the
// library.

#include <tare/sim/wire.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace tare::testing {

/// The frames of one direction of a WebSocket (RFC 6455, 7692).
class websocket_frames {
 public:
  websocket_frames(bool masks, bool compresses) noexcept : masks_(masks), compresses_(compresses) {}
  [[nodiscard]] std::string check(std::string_view bytes);

 private:
  [[nodiscard]] std::string check_first() const;
  [[nodiscard]] std::string check_second() const;
  [[nodiscard]] std::string check_length();
  void end_frame() noexcept;
  [[nodiscard]] unsigned byte(std::size_t at) const noexcept { return static_cast<unsigned char>(head_[at]); }
  [[nodiscard]] unsigned code() const noexcept { return byte(0) & 15U; }
  [[nodiscard]] std::size_t head_size() const noexcept;

  bool masks_;
  bool compresses_;
  bool in_message_ = false;
  bool has_closed_ = false;
  std::string head_;
  std::uint64_t left_ = 0;
};

/// HTTP/1.1 (RFC 9112), and WebSockets after an upgrade.
class http_wire final : public sim::wire_checker {
 public:
  [[nodiscard]] std::string check(end from, std::string_view bytes) override;

 private:
  enum class state : std::uint8_t { start, fields, body, chunk_size, chunk, chunk_end, trailer, to_end, frames, over };
  /// One direction: the message that it sends now.
  struct half {
    state now = state::start;
    std::string line;
    std::uint64_t left = 0;
    std::optional<std::uint64_t> length;
    bool is_chunked = false;
    bool closes = false;
    bool upgrades = false;
    bool compresses = false;
    int hosts = 0;
    int status = 0;
    std::string method;
    std::optional<websocket_frames> frames;
  };
  struct request {
    std::string method;
    bool upgrades = false;
  };

  [[nodiscard]] std::string take_line(end from, std::string_view& bytes);
  [[nodiscard]] std::string line_ended(end from, std::string_view line);
  [[nodiscard]] std::string check_request_line(std::string_view line);
  [[nodiscard]] std::string check_status_line(std::string_view line);
  [[nodiscard]] std::string check_field(half& of, std::string_view line);
  [[nodiscard]] std::string head_ended(end from);
  [[nodiscard]] std::string response_head_ended();
  void choose_body(half& of, bool may_last_to_end) const;
  static void message_ended(half& of);

  half client_;
  half server_;
  std::deque<request> unanswered_;
};

/// The order of TLS records, for TLS 1.2 without renegotiation and 1.3 without early data.
class tls_wire final : public sim::wire_checker {
 public:
  static constexpr unsigned tls_1_2 = 0x0303;
  static constexpr unsigned tls_1_3 = 0x0304;

  /// With `only`, another version is a mistake.
  explicit tls_wire(unsigned only = 0) noexcept : only_(only) {}
  [[nodiscard]] std::string check(end from, std::string_view bytes) override;

 private:
  struct half {
    std::string record;  ///< the header, and then what is looked at
    std::size_t left = 0;
    bool has_sent = false;
    bool has_changed_cipher = false;
    bool has_finished = false;  ///< under TLS 1.2
    bool has_encrypted = false;
    bool is_over = false;
  };

  [[nodiscard]] std::string check_head(end from, half& of) const;
  [[nodiscard]] std::string check_handshake(const half& of) const;
  [[nodiscard]] std::string check_data(const half& of, std::size_t size) const;
  void record_ended(end from, half& of);
  void look_at_hello();

  half client_;
  half server_;
  std::string hello_;  ///< the server's first message, as far as it has been seen
  unsigned only_;
  unsigned version_ = 0;  ///< 0 before the server's hello has been seen
};

}  // namespace tare::testing
