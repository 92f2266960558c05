#pragma once

// The name or address that a server's certificate must be valid for.

#include <tare/net/result.hpp>

#include <openssl/ssl.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tare::net::tls {

/// A host in the form that certificates use: a name without a trailing dot, or an address without its zone. **Errors**:
/// std::errc::invalid_argument if it is neither.
struct identity {
  std::string host;
  bool is_address = false;
};
[[nodiscard]] result<identity> identity_of(std::string_view host);

/// Makes OpenSSL verify that the certificate is valid for `host`, send the name to the server, and offer a ticket from
/// an earlier connection to the same host and port. After an error the connection must not be used.
[[nodiscard]] result<void> set_identity(SSL* openssl, std::string_view host, std::uint16_t port);

}  // namespace tare::net::tls
