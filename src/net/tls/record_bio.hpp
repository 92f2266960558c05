#pragma once

// What OpenSSL reads from and writes to (a BIO): the stream's slot, a record at a time.
//
// OpenSSL is given no byte of a record before it has read the record before it, so that at any moment it is known, by
// our own count, what it holds: while it asks for the first byte of a record, nothing. What it writes is always taken:
// what the system has no room for waits here. So a sealed record is never OpenSSL's to send again.

#include "net/tls/record_boundary.hpp"
#include "net/tls/record_buffer.hpp"
#include "net/tls/socket_calls.hpp"

#include <tare/detail/link.hpp>
#include <tare/net/result.hpp>

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace tare::net::tls {

class record_bio {
 public:
  /// Belongs to the BIO. Throws std::bad_alloc.
  [[nodiscard]] static BIO* make(tare::detail::link slot);
  [[nodiscard]] static record_bio& of(const SSL* openssl) noexcept;

  /// Whole records have been read, and whole ones written.
  [[nodiscard]] bool is_at_boundary() const noexcept {
    return in_.is_valid() && in_.is_reached() && out_records_.is_valid() && out_records_.is_reached();
  }
  /// Records that OpenSSL has written since it last read.
  [[nodiscard]] std::uint32_t records_since_read() const noexcept { return out_records_.records(); }

  /// The handshake is over and OpenSSL keeps the connection: it may read as much as there is. A peer that makes it
  /// write without reading any of it ends the connection.
  void begin_stream() noexcept { stage_ = stage::stream; }
  /// From now on OpenSSL reads nothing but this record, and what it writes is dropped.
  void feed(std::span<const std::byte> record) noexcept {
    stage_ = stage::fed;
    fed_ = record;
  }

  /// What has been written and not sent; nullptr if there is nothing.
  [[nodiscard]] record_buffer* unsent() noexcept { return unsent_.get(); }
  /// Sends it, unless `next` is what that lacks.
  [[nodiscard]] result<void> flush(wanted& next) noexcept;

 private:
  enum class stage : std::uint8_t { handshake, stream, fed };
  /// Beyond a record of the user's: answers that the peer has caused and does not read.
  static constexpr std::size_t max_unsent_bytes = 16384 + 512 + 4096;

  explicit record_bio(tare::detail::link slot) noexcept : slot_(slot) {}
  [[nodiscard]] tare::detail::io_slot& slot() const noexcept {
    return *tare::detail::from_link<tare::detail::io_slot>(slot_);
  }
  [[nodiscard]] int read_record(BIO* bio, std::span<std::byte> into) noexcept;
  [[nodiscard]] int read_fed(BIO* bio, std::span<std::byte> into) noexcept;
  [[nodiscard]] bool take(std::span<const std::byte> bytes, std::uint8_t kernel_type) noexcept;
  [[nodiscard]] result<std::size_t> send(std::span<const std::byte> bytes) noexcept;

  static BIO_METHOD* method();
  static record_bio* of(BIO* bio) noexcept;
  static int read(BIO* bio, char* into, int size) noexcept;
  static int write(BIO* bio, const char* bytes, int size) noexcept;
  static long control(BIO* bio, int command, long number, void* pointer) noexcept;
  static int destroy(BIO* bio) noexcept;

  record_buffer::owner unsent_;
  std::span<const std::byte> fed_;
  record_boundary in_;
  record_boundary out_records_;
  tare::detail::link slot_;
  stage stage_ = stage::handshake;
  // Where the kernel makes the records: the type of the next one, and of what is unsent. 0: the kernel is sent whole
  // records, or the user's bytes.
  std::uint8_t kernel_type_ = 0;
  std::uint8_t unsent_kernel_type_ = 0;
};

}  // namespace tare::net::tls
