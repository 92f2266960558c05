#pragma once

// Session tickets, which a client's OpenSSL reads although it no longer handles the records.
//
// A server sends them after its handshake, before anything else. The client's record layer opens every record, and
// passes those that contain only tickets to OpenSSL, which is kept for this purpose, still sealed. The first other
// record ends this: OpenSSL is freed. 24 bytes, for the duration of a call.

#include "net/tls/record_buffer.hpp"

#include <openssl/ssl.h>

#include <cstddef>
#include <span>

namespace tare::net::tls {

/// Frees a connection of OpenSSL; its session can still be resumed.
void free_openssl(SSL*& openssl) noexcept;

class ticket_reader {
 public:
  /// A reader that does nothing.
  ticket_reader() noexcept = default;
  /// Sets `openssl` to nullptr when it frees it.
  explicit ticket_reader(SSL*& openssl) noexcept : openssl_(&openssl) {}

  /// Call it with each record before it is opened in place.
  void keep(std::span<const std::byte> sealed) noexcept;
  /// Call it after the record has been opened and found valid. `holds_tickets`: it contains only tickets or parts of
  /// them. False if OpenSSL rejects them.
  [[nodiscard]] bool pass(bool holds_tickets) noexcept;

 private:
  SSL** openssl_ = nullptr;
  record_buffer::owner sealed_;
};

}  // namespace tare::net::tls
