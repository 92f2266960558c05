#pragma once

#include <cstdint>
#include <span>

namespace tare::net::tls {

/// Whether every extension in a server's EncryptedExtensions (the message including its header) is known to change
/// nothing about the records after the handshake. For example, max_fragment_length and record_size_limit limit their
/// size.
[[nodiscard]] bool leave_records_alone(std::span<const std::uint8_t> encrypted_extensions) noexcept;

}  // namespace tare::net::tls
