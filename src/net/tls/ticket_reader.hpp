#pragma once

// Session tickets, which a client's OpenSSL reads although the records are no longer its own.
//
// A server sends them behind its handshake, before anything else. The client's record layer opens every record and
// gives OpenSSL, which stays for that, those that hold tickets and nothing else, still sealed. The first other record
// is the end: OpenSSL is freed. 24 bytes, for as long as a call takes.

#include "net/tls/record_buffer.hpp"

#include <openssl/ssl.h>

#include <cstddef>
#include <span>

namespace tare::net::tls {

/// Frees a connection of OpenSSL's, whose session remains good for resumption.
void free_openssl(SSL*& openssl) noexcept;

class ticket_reader {
 public:
  /// Reads nothing.
  ticket_reader() noexcept = default;
  /// `openssl` is set to nullptr when it has been freed.
  explicit ticket_reader(SSL*& openssl) noexcept : openssl_(&openssl) {}

  /// A record that is about to be opened in place.
  void keep(std::span<const std::byte> sealed) noexcept;
  /// The record was in order, and holds only tickets, or parts of them, or it does not. False if OpenSSL finds that
  /// they are no tickets.
  [[nodiscard]] bool pass(bool holds_tickets) noexcept;

 private:
  SSL** openssl_ = nullptr;
  record_buffer::owner sealed_;
};

}  // namespace tare::net::tls
