#pragma once

#include <openssl/ssl.h>

#include <string>
#include <string_view>

namespace tare::net::tls {

/// A string attached to a connection of OpenSSL. On a server it is the host that the client has requested; on a client
/// it identifies the server, to find its tickets. Throws std::bad_alloc.
void set_connection_name(SSL* connection, std::string name);
/// Empty if there is none.
[[nodiscard]] const std::string& connection_name(const SSL* connection) noexcept;

}  // namespace tare::net::tls
