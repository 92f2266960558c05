#pragma once

#include <cstdint>
#include <span>

namespace tare::net::tls {

/// Whether all that a server's EncryptedExtensions (the message, header and all) agrees on is known to change nothing
/// about the records that follow the handshake. The length of fragments (max_fragment_length, record_size_limit), for
/// one, does.
[[nodiscard]] bool leave_records_alone(std::span<const std::uint8_t> encrypted_extensions) noexcept;

}  // namespace tare::net::tls
