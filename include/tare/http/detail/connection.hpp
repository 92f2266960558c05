#pragma once

// A client's connection: in the clear or over TLS.

#include <tare/http/detail/transport.hpp>
#include <tare/net/stream.hpp>
#include <tare/net/tls.hpp>

#include <utility>
#include <variant>

namespace tare::http::detail {

class connection {
 public:
  connection() noexcept = default;
  explicit connection(net::stream plain) noexcept : over_(std::move(plain)) {}
  explicit connection(net::tls::stream secret) noexcept : over_(std::move(secret)) {}

  /// To be taken anew after a move.
  [[nodiscard]] transport way() noexcept {
    return std::visit([](auto& stream) { return transport::of(stream); }, over_);
  }
  [[nodiscard]] bool is_open() const noexcept {
    return std::visit([](const auto& stream) { return stream.is_open(); }, over_);
  }
  void close() noexcept {
    std::visit([](auto& stream) { stream.close(); }, over_);
  }

 private:
  std::variant<net::stream, net::tls::stream> over_;
};

}  // namespace tare::http::detail
