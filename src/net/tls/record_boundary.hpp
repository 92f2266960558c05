#pragma once

// Finds where the records of a TLS connection begin and end. Their headers, which are not encrypted, say so.

#include <cstddef>
#include <cstdint>
#include <span>

namespace tare::net::tls {

/// Follows one direction of a connection. 16 bytes.
class record_boundary {
 public:
  static constexpr std::size_t header_bytes = 5;

  /// True if all bytes so far belong to whole records.
  [[nodiscard]] bool is_reached() const noexcept { return header_count_ == 0 && body_left_ == 0; }
  /// False after anything that is not a record of TLS 1.0 or later; from then on nothing is known.
  [[nodiscard]] bool is_valid() const noexcept { return is_valid_; }
  /// This many of the next bytes certainly belong to the current record, or to the header of the next one.
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
