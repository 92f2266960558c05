#pragma once

#include <expected>
#include <system_error>

namespace tare::net::tls {

/// An error in OpenSSL's packed form.
[[nodiscard]] std::unexpected<std::error_code> error_of(unsigned long packed) noexcept;
/// The first error in OpenSSL's queue; connection_reset if the queue is empty.
[[nodiscard]] std::unexpected<std::error_code> openssl_error() noexcept;

}  // namespace tare::net::tls
