#pragma once

// An address to listen on or connect to: an IPv4 or IPv6 address and a port, or the path of a Unix-domain socket.
//
//   auto at = tare::net::endpoint::parse("[::1]:8080");     // result<endpoint>
//   auto any = tare::net::endpoint::loopback(0);            // 127.0.0.1, a free port
//
// **Cancellation** Nothing here waits. **Threads** A value: any, one at a time. **Bytes** 116, so pass it by reference
// to tasks that wait for a long time.

#include <tare/net/result.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tare::net {

class endpoint {
 public:
  /// IPv4, 0.0.0.0:0.
  endpoint() noexcept;

  /// "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "unix:/run/service.sock", or "unix:@name" for Linux's abstract
  /// names. For host names, use `resolve`. **Errors** std::errc::invalid_argument; std::errc::filename_too_long for a
  /// path of more than 107 bytes.
  [[nodiscard]] static result<endpoint> parse(std::string_view text);

  /// The address alone, "127.0.0.1" or "::1".
  [[nodiscard]] static result<endpoint> parse_address(std::string_view address, std::uint16_t port);

  /// 127.0.0.1.
  [[nodiscard]] static endpoint loopback(std::uint16_t port) noexcept;
  /// All addresses, including IPv4: [::].
  [[nodiscard]] static endpoint any(std::uint16_t port) noexcept;
  /// A copy of an address from the system.
  [[nodiscard]] static endpoint from(const sockaddr* address, socklen_t size) noexcept;

  /// In the format that `parse` accepts.
  [[nodiscard]] std::string to_string() const;

  /// AF_INET, AF_INET6 or AF_UNIX.
  [[nodiscard]] int family() const noexcept { return address_.generic.sa_family; }
  [[nodiscard]] bool is_unix() const noexcept { return family() == AF_UNIX; }
  /// 0 if it has no port.
  [[nodiscard]] std::uint16_t port() const noexcept;
  /// Does nothing to a Unix path.
  void set_port(std::uint16_t port) noexcept;

  [[nodiscard]] const sockaddr* data() const noexcept { return &address_.generic; }
  [[nodiscard]] socklen_t size() const noexcept { return size_; }

  friend bool operator==(const endpoint& left, const endpoint& right) noexcept;

 private:
  union {
    sockaddr generic;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un path;
  } address_;
  socklen_t size_;
};

/// A key for limits per client (`rate_limiter`). It is the same for all connections from one IPv4 address, whether the
/// peer is IPv4 or IPv4 mapped into IPv6, and for all IPv6 addresses with the same first 64 bits, because one client
/// usually has all of these. 0 for Unix sockets.
[[nodiscard]] std::uint64_t client_key(const endpoint& peer) noexcept;

}  // namespace tare::net
