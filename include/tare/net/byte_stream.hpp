#pragma once

// What `net::stream` and `tls::stream` have in common, and all that HTTP requires of a connection.

#include <tare/net/lease.hpp>
#include <tare/net/result.hpp>

#include <concepts>
#include <cstddef>
#include <span>

namespace tare::net {

/// `read` and `write` return awaitables of result<std::size_t>, result<lease> and result<void>.
template <class S>
concept byte_stream = std::movable<S> && requires(S& s, std::span<std::byte> buffer, std::span<const std::byte> bytes,
                                                  std::span<const std::span<const std::byte>> several) {
  s.read();
  s.read(buffer);
  s.write(bytes);
  s.write(several);
  s.shutdown_write();
  s.close();
};

}  // namespace tare::net
