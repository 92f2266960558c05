#pragma once

#include <expected>
#include <system_error>

namespace tare::net::tls {

/// An error as OpenSSL packs it.
[[nodiscard]] std::unexpected<std::error_code> error_of(unsigned long packed) noexcept;
/// What OpenSSL's queue of errors says first, or the connection's if that is empty.
[[nodiscard]] std::unexpected<std::error_code> openssl_error() noexcept;

}  // namespace tare::net::tls
