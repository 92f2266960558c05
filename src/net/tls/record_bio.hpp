#pragma once

// The BIO from which OpenSSL reads and to which it writes: the slot of the stream, one record at a time.
//
// OpenSSL gets no byte of a record before it has read the whole previous record. So our own count always shows what
// OpenSSL holds; while it asks for the first byte of a record, it holds nothing. Writes always succeed: what the system
// does not accept yet waits here. So OpenSSL never has to send a sealed record again.

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
  /// Belongs to the BIO. `for_kernel`: OpenSSL may give the keys to the kernel. Throws std::bad_alloc.
  [[nodiscard]] static BIO* make(tare::detail::link slot, bool for_kernel);
  [[nodiscard]] static record_bio& of(const SSL* openssl) noexcept;

  /// True if only whole records have been read and written.
  [[nodiscard]] bool is_at_boundary() const noexcept {
    return in_.is_valid() && in_.is_reached() && out_records_.is_valid() && out_records_.is_reached();
  }
  /// Records that OpenSSL has written since it last read.
  [[nodiscard]] std::uint32_t records_since_read() const noexcept { return out_records_.records(); }

  /// The handshake has finished and OpenSSL keeps the connection: it may read as much as has arrived. A peer that makes
  /// OpenSSL write but reads nothing ends the connection.
  void begin_stream() noexcept { stage_ = stage::stream; }
  /// From now on OpenSSL reads only this record, and what it writes is dropped.
  void feed(std::span<const std::byte> record) noexcept {
    stage_ = stage::fed;
    fed_ = record;
  }

  /// What has been written but not sent; nullptr if there is nothing.
  [[nodiscard]] record_buffer* unsent() noexcept { return unsent_.get(); }
  /// Sends it; if the socket is not writable, `next` says so.
  [[nodiscard]] result<void> flush(wanted& next) noexcept;

 private:
  enum class stage : std::uint8_t { handshake, stream, fed };
  /// Beyond one record of user data, this leaves room for responses that the peer has caused but does not read.
  static constexpr std::size_t max_unsent_bytes = 16384 + 512 + 4096;

  record_bio(tare::detail::link slot, bool for_kernel) noexcept : slot_(slot), for_kernel_(for_kernel) {}
  [[nodiscard]] tare::detail::io_slot& slot() const noexcept {
    return *tare::detail::from_link<tare::detail::io_slot>(slot_);
  }
  [[nodiscard]] int read_record(BIO* bio, std::span<std::byte> buffer) noexcept;
  [[nodiscard]] int read_fed(BIO* bio, std::span<std::byte> buffer) noexcept;
  [[nodiscard]] bool take(std::span<const std::byte> bytes, std::uint8_t kernel_type) noexcept;
  [[nodiscard]] result<std::size_t> send(std::span<const std::byte> bytes) noexcept;

  static BIO_METHOD* method();
  static record_bio* of(BIO* bio) noexcept;
  static int read(BIO* bio, char* buffer, int size) noexcept;
  static int write(BIO* bio, const char* bytes, int size) noexcept;
  static long control(BIO* bio, int command, long number, void* pointer) noexcept;
  static int destroy(BIO* bio) noexcept;

  record_buffer::owner unsent_;
  std::span<const std::byte> fed_;
  record_boundary in_;
  record_boundary out_records_;
  tare::detail::link slot_;
  stage stage_ = stage::handshake;
  bool for_kernel_;
  // If the kernel handles the records: the type of the next one, and that of the unsent bytes. 0: the kernel gets whole
  // records, or user data.
  std::uint8_t kernel_type_ = 0;
  std::uint8_t unsent_kernel_type_ = 0;
};

}  // namespace tare::net::tls
