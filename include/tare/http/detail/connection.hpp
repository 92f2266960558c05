#pragma once

// A client's connection: plain or over TLS.

#include <tare/http/detail/transport.hpp>
#include <tare/net/stream.hpp>
#include <tare/net/tls.hpp>

#include <system_error>
#include <utility>

namespace tare::http::detail {

/// Two members, of which at most one is open. Not a variant, because g++ 12 issues false warnings for it.
class connection {
 public:
  connection() noexcept = default;
  explicit connection(net::stream plain) noexcept : plain_(std::move(plain)) {}
  explicit connection(net::tls::stream secret) noexcept : secret_(std::move(secret)) {}

  /// Call it again after a move.
  [[nodiscard]] transport way() noexcept { return secret_.is_open() ? transport::of(secret_) : transport::of(plain_); }
  [[nodiscard]] bool is_open() const noexcept { return plain_.is_open() || secret_.is_open(); }
  /// Open, with nothing unread: no byte, no end of stream, no part of a TLS record.
  [[nodiscard]] bool is_quiet() noexcept {
    if (secret_.is_open()) return secret_.is_quiet();
    const auto unread = plain_.try_read();
    return !unread && unread.error() == std::errc::operation_would_block;
  }
  void close() noexcept {
    plain_.close();
    secret_.close();
  }

 private:
  net::stream plain_;
  net::tls::stream secret_;
};

}  // namespace tare::http::detail
