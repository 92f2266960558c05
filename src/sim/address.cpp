#include "sim/address.hpp"

#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace tare::sim::detail {

namespace {

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);

std::optional<std::uint32_t> ip_of(const in6_addr& at) noexcept {
  if (IN6_IS_ADDR_UNSPECIFIED(&at)) return 0;
  if (IN6_IS_ADDR_LOOPBACK(&at)) return address::loopback;
  if (!IN6_IS_ADDR_V4MAPPED(&at)) return std::nullopt;
  std::uint32_t ip = 0;
  std::memcpy(&ip, &at.s6_addr[12], sizeof(ip));
  return ntohl(ip);
}

}  // namespace

std::optional<address> address::from(const sockaddr* at, socklen_t size) {
  address made;
  made.family = at->sa_family;
  if (made.family == AF_INET && size >= sizeof(sockaddr_in)) {
    const auto& v4 = *reinterpret_cast<const sockaddr_in*>(at);
    made.ip = ntohl(v4.sin_addr.s_addr);
    made.port = ntohs(v4.sin_port);
    return made;
  }
  if (made.family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    const auto& v6 = *reinterpret_cast<const sockaddr_in6*>(at);
    const std::optional<std::uint32_t> ip = ip_of(v6.sin6_addr);
    if (!ip) return std::nullopt;
    made.ip = *ip;
    made.port = ntohs(v6.sin6_port);
    return made;
  }
  if (made.family == AF_UNIX && size > path_offset) {
    const char* const path = reinterpret_cast<const sockaddr_un*>(at)->sun_path;
    const std::size_t longest = size - path_offset;
    made.path.assign(path, *path == '\0' ? longest : ::strnlen(path, longest));
    return made;
  }
  return std::nullopt;
}

void address::store(sockaddr* into, socklen_t* size) const noexcept {
  sockaddr_storage all{};
  socklen_t length = 0;
  all.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(all);
    v4.sin_addr.s_addr = htonl(ip);
    v4.sin_port = htons(port);
    length = sizeof(v4);
  } else if (family == AF_INET6) {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(all);
    v6.sin6_port = htons(port);
    if (ip == loopback) {
      v6.sin6_addr = in6addr_loopback;
    } else if (ip != 0) {
      v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xff;
      const std::uint32_t wire = htonl(ip);
      std::memcpy(&v6.sin6_addr.s6_addr[12], &wire, sizeof(wire));
    }
    length = sizeof(v6);
  } else {
    auto& local = reinterpret_cast<sockaddr_un&>(all);
    std::memcpy(local.sun_path, path.data(), std::min(path.size(), sizeof(local.sun_path) - 1));
    const bool is_file = !path.empty() && path.front() != '\0';
    length = static_cast<socklen_t>(path_offset + path.size() + (is_file ? 1 : 0));
  }
  if (into == nullptr || size == nullptr) return;
  std::memcpy(into, &all, std::min(*size, length));
  *size = length;
}

}  // namespace tare::sim::detail
