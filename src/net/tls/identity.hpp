#pragma once

// Whom a server's certificate has to be for.

#include <tare/net/result.hpp>

#include <openssl/ssl.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tare::net::tls {

/// A host in the form in which certificates have it: a name, without the dot that may end it, or an address, without
/// its zone. Errors: std::errc::invalid_argument if it is neither.
struct identity {
  std::string host;
  bool is_address = false;
};
[[nodiscard]] result<identity> identity_of(std::string_view host);

/// Has OpenSSL verify that the certificate is for `host`, ask for it by name, and offer a ticket of an earlier
/// connection to the host and port. After any error the connection must not be used.
[[nodiscard]] result<void> set_identity(SSL* openssl, std::string_view host, std::uint16_t port);

}  // namespace tare::net::tls
