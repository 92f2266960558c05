#pragma once

// The beginning of a connection, before anything of OpenSSL is made for it.
//
// OpenSSL makes room for a handshake message when its header announces it, up to 128 KiB for a ClientHello, and for its
// own state, 40 KiB, before a byte has come. So the first bytes are looked at first, and stay in the system's buffer.

#include <tare/net/result.hpp>
#include <tare/net/stream.hpp>
#include <tare/task.hpp>

#include <cstddef>
#include <span>

namespace tare::net::tls {

/// A record's header and that of the message in it.
inline constexpr std::size_t hello_head_bytes = 9;
/// What a handshake takes at most: OpenSSL's state, and a message of up to 16 KiB.
inline constexpr std::size_t handshake_bytes = std::size_t{64} << 10U;
/// Likewise, of a message whose size is not known from the first bytes.
inline constexpr std::size_t unknown_handshake_bytes = std::size_t{192} << 10U;

/// How much memory the handshake may take that begins with these bytes; 0 if it is none, or announces too much.
[[nodiscard]] std::size_t check_client_hello(std::span<const std::byte> begin) noexcept;

/// Waits for these bytes and looks at them. A peer that sends others is sent an alert.
/// **Errors**: std::errc::protocol_error for others, connection_aborted for the end before them, and those of the
/// stream, such as its deadline.
/// **Cancellation**: nothing has been read.
[[nodiscard]] task<result<std::size_t>> wait_for_client_hello(net::stream& below);

}  // namespace tare::net::tls
