#pragma once

#include <openssl/ssl.h>

#include <string>
#include <string_view>

namespace tare::net::tls {

/// A text that belongs to a connection of OpenSSL's: at a server the host that the client has asked for; at a client
/// the server whose tickets are its own. Throws std::bad_alloc.
void set_connection_name(SSL* connection, std::string name);
/// Empty if there is none.
[[nodiscard]] const std::string& connection_name(const SSL* connection) noexcept;

}  // namespace tare::net::tls
