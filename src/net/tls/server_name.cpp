// Chooses the certificate that a client gets, by the name that it requests, before anything else is decided.

#include "net/tls/connection_name.hpp"
#include "net/tls/context.hpp"

#include <cstddef>
#include <new>
#include <span>
#include <string_view>

namespace tare::net::tls {

namespace {

/// The name in the extension server_name (RFC 6066, 3). Empty if it is malformed, which OpenSSL itself reports.
std::string_view name_in(std::span<const unsigned char> extension) noexcept {
  constexpr std::size_t head_bytes = 2 + 1 + 2;  // of the list, and of the name (its type and size)
  constexpr std::size_t max_name_bytes = 255;
  if (extension.size() <= head_bytes) return {};
  const auto number_at = [&](std::size_t position) {
    return static_cast<std::size_t>(extension[position]) << 8U | static_cast<std::size_t>(extension[position + 1]);
  };
  const auto name = extension.subspan(head_bytes);
  const bool is_host = extension[2] == 0;
  if (number_at(0) != extension.size() - 2 || !is_host || number_at(3) != name.size()) return {};
  const std::string_view text(reinterpret_cast<const char*>(name.data()), name.size());
  return text.size() > max_name_bytes || text.contains('\0') ? std::string_view() : text;
}

}  // namespace

int context_core::choose_certificate(SSL* connection, int* alert, void* self) noexcept {
  const auto& core = *static_cast<const context_core*>(self);
  const unsigned char* extension = nullptr;
  std::size_t size = 0;
  std::string_view host;
  if (::SSL_client_hello_get0_ext(connection, TLSEXT_TYPE_server_name, &extension, &size) == 1) {
    host = name_in(std::span(extension, size));
  }
  try {
    set_connection_name(connection, std::string(host));
    if (core.refuses_unknown_names_ && !host.empty() && !core.certificates_.knows(host)) {
      *alert = SSL_AD_UNRECOGNIZED_NAME;
      return SSL_CLIENT_HELLO_ERROR;
    }
    // A second ClientHello in the same handshake may request another name than the first.
    if (core.certificates_.size() == 1 || core.certificates_.use(connection, host)) return SSL_CLIENT_HELLO_SUCCESS;
    // NOLINTNEXTLINE(bugprone-empty-catch): the same alert as for a certificate that cannot be used
  } catch (const std::bad_alloc&) {
  }
  *alert = SSL_AD_INTERNAL_ERROR;
  return SSL_CLIENT_HELLO_ERROR;
}

}  // namespace tare::net::tls
