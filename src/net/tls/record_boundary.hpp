#pragma once

// Where the records of a TLS connection begin and end, which their headers say in plain.

#include <cstddef>
#include <cstdint>
#include <span>

namespace tare::net::tls {

/// Follows one direction. 16 bytes.
class record_boundary {
 public:
  static constexpr std::size_t header_bytes = 5;

  /// All bytes so far are of whole records.
  [[nodiscard]] bool is_reached() const noexcept { return header_count_ == 0 && body_left_ == 0; }
  /// False once something came that is no record of TLS 1.0 or later: then nothing is known any more.
  [[nodiscard]] bool is_valid() const noexcept { return is_valid_; }
  /// So many bytes are certainly of the present record, or of the next one's header.
  [[nodiscard]] std::size_t left() const noexcept {
    return header_count_ == 0 && body_left_ != 0 ? body_left_ : header_bytes - header_count_;
  }
  /// Records that have begun since `restart`.
  [[nodiscard]] std::uint32_t records() const noexcept { return records_; }
  void restart() noexcept { records_ = 0; }

  void advance(std::span<const std::byte> bytes) noexcept;

 private:
  std::uint32_t records_ = 0;
  std::uint16_t body_left_ = 0;
  std::uint8_t header_count_ = 0;
  bool is_valid_ = true;
};

}  // namespace tare::net::tls
