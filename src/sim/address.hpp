#pragma once

// Addresses of the simulated network. Hosts have IPv4 addresses; IPv6 sockets reach them as mapped addresses.

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

namespace tare::sim::detail {

struct address {
  int family = AF_INET;
  std::uint32_t ip = 0;  ///< 0: any
  std::uint16_t port = 0;
  std::string path;  ///< of a Unix socket, with its leading zero if it is abstract

  static constexpr std::uint32_t loopback = 0x7f000001;

  /// nullopt if it is none that the simulation has.
  [[nodiscard]] static std::optional<address> from(const sockaddr* at, socklen_t size);
  /// As getsockname(2) stores it.
  void store(sockaddr* into, socklen_t* size) const noexcept;
  [[nodiscard]] bool is_loopback() const noexcept { return ip >> 24U == loopback >> 24U; }
};

}  // namespace tare::sim::detail
