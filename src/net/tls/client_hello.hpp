#pragma once

// Looks at the first bytes of a connection before OpenSSL allocates anything for it.
//
// OpenSSL allocates 40 KiB for its own state before a byte has arrived, and memory for a handshake message (up to 128
// KiB for a ClientHello) as soon as the header announces it. So the first bytes are inspected first, while they stay in
// the kernel's buffer.

#include <tare/net/result.hpp>
#include <tare/net/stream.hpp>
#include <tare/task.hpp>

#include <cstddef>
#include <span>

namespace tare::net::tls {

/// The header of a record and of the message in it.
inline constexpr std::size_t hello_head_bytes = 9;
/// The most memory that a handshake uses: OpenSSL's state, and a message of up to 16 KiB.
inline constexpr std::size_t handshake_bytes = std::size_t{64} << 10U;
/// The same for a message whose size the first bytes do not show.
inline constexpr std::size_t unknown_handshake_bytes = std::size_t{192} << 10U;

/// How much memory a handshake that begins with these bytes may use; 0 if they do not begin a handshake, or announce a
/// message that is too large.
[[nodiscard]] std::size_t check_client_hello(std::span<const std::byte> begin) noexcept;

/// Waits for the first bytes and checks them. If they do not begin a handshake, sends the peer an alert.
/// **Errors**: std::errc::protocol_error if they do not begin a handshake, connection_aborted if the stream ends before
/// them, and those of the stream, such as an expired deadline.
/// **Cancellation**: nothing has been read.
[[nodiscard]] task<result<std::size_t>> wait_for_client_hello(net::stream& below);

}  // namespace tare::net::tls
