#include <tare/net/endpoint.hpp>

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace tare::net {

namespace {

std::unexpected<std::error_code> invalid() noexcept {
  return std::unexpected(std::make_error_code(std::errc::invalid_argument));
}

constexpr std::string_view unix_prefix = "unix:";
constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);

bool parse_number(std::string_view text, std::uint32_t most, std::uint32_t& number) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number <= most;
}

}  // namespace

endpoint::endpoint() noexcept : address_{}, size_(sizeof(sockaddr_in)) { address_.v4.sin_family = AF_INET; }

endpoint endpoint::from(const sockaddr* address, socklen_t size) noexcept {
  endpoint copy;
  std::memset(&copy.address_, 0, sizeof(copy.address_));
  copy.size_ = std::min<socklen_t>(size, sizeof(copy.address_));
  std::memcpy(&copy.address_, address, copy.size_);
  return copy;
}

result<endpoint> endpoint::parse(std::string_view text) {
  if (text.starts_with(unix_prefix)) {
    std::string_view path = text.substr(unix_prefix.size());
    if (path.empty() || path.contains('\0')) return invalid();
    endpoint parsed;
    if (path.size() >= sizeof(parsed.address_.path.sun_path)) {
      return std::unexpected(std::make_error_code(std::errc::filename_too_long));
    }
    std::memset(&parsed.address_, 0, sizeof(parsed.address_));
    parsed.address_.path.sun_family = AF_UNIX;
    std::memcpy(parsed.address_.path.sun_path, path.data(), path.size());
    const bool abstract = path.front() == '@';
    if (abstract) parsed.address_.path.sun_path[0] = '\0';
    parsed.size_ = static_cast<socklen_t>(path_offset + path.size() + (abstract ? 0 : 1));
    return parsed;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return invalid();
  std::uint32_t port = 0;
  if (!parse_number(text.substr(colon + 1), 65535, port)) return invalid();
  std::string_view address = text.substr(0, colon);
  const bool bracketed = address.size() > 2 && address.front() == '[' && address.back() == ']';
  if (bracketed) address = address.substr(1, address.size() - 2);
  // An IPv6 address without brackets would be ambiguous.
  if (bracketed != address.contains(':')) return invalid();
  return parse_address(address, static_cast<std::uint16_t>(port));
}

result<endpoint> endpoint::parse_address(std::string_view address, std::uint16_t port) {
  endpoint parsed;
  const std::string terminated(address);
  if (address.contains('\0')) return invalid();
  if (!address.contains(':')) {
    if (::inet_pton(AF_INET, terminated.c_str(), &parsed.address_.v4.sin_addr) != 1) return invalid();
    parsed.address_.v4.sin_port = htons(port);
    return parsed;
  }
  std::memset(&parsed.address_, 0, sizeof(parsed.address_));
  parsed.address_.v6.sin6_family = AF_INET6;
  parsed.address_.v6.sin6_port = htons(port);
  parsed.size_ = sizeof(sockaddr_in6);
  const std::size_t percent = terminated.find('%');
  if (::inet_pton(AF_INET6, terminated.substr(0, percent).c_str(), &parsed.address_.v6.sin6_addr) != 1)
    return invalid();
  if (percent != std::string::npos) {
    const std::string zone = terminated.substr(percent + 1);
    std::uint32_t number = ::if_nametoindex(zone.c_str());
    if (number == 0 && !parse_number(zone, UINT32_MAX, number)) return invalid();
    parsed.address_.v6.sin6_scope_id = number;
  }
  return parsed;
}

endpoint endpoint::loopback(std::uint16_t port) noexcept {
  endpoint address;
  address.address_.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.address_.v4.sin_port = htons(port);
  return address;
}

endpoint endpoint::any(std::uint16_t port) noexcept {
  endpoint address;
  std::memset(&address.address_, 0, sizeof(address.address_));
  address.address_.v6.sin6_family = AF_INET6;
  address.address_.v6.sin6_port = htons(port);
  address.size_ = sizeof(sockaddr_in6);
  return address;
}

std::string endpoint::to_string() const {
  std::array<char, INET6_ADDRSTRLEN + 1> text{};
  switch (family()) {
    case AF_INET:
      ::inet_ntop(AF_INET, &address_.v4.sin_addr, text.data(), text.size());
      return std::string(text.data()) + ":" + std::to_string(port());
    case AF_INET6: {
      ::inet_ntop(AF_INET6, &address_.v6.sin6_addr, text.data(), text.size());
      std::string zone;
      if (address_.v6.sin6_scope_id != 0) {
        std::array<char, IF_NAMESIZE> name{};
        zone = ::if_indextoname(address_.v6.sin6_scope_id, name.data()) != nullptr
                   ? name.data()
                   : std::to_string(address_.v6.sin6_scope_id);
        zone.insert(0, 1, '%');
      }
      return "[" + std::string(text.data()) + zone + "]:" + std::to_string(port());
    }
    case AF_UNIX: {
      if (size_ <= path_offset) return std::string(unix_prefix);  // the client end of a socket is unnamed
      const char* path = address_.path.sun_path;
      if (*path != '\0') return std::string(unix_prefix) + std::string(path, ::strnlen(path, size_ - path_offset));
      return std::string(unix_prefix) + "@" + std::string(path + 1, size_ - path_offset - 1);
    }
    default:
      return "address of family " + std::to_string(family());
  }
}

std::uint16_t endpoint::port() const noexcept {
  switch (family()) {
    case AF_INET:
      return ntohs(address_.v4.sin_port);
    case AF_INET6:
      return ntohs(address_.v6.sin6_port);
    default:
      return 0;
  }
}

void endpoint::set_port(std::uint16_t port) noexcept {
  if (family() == AF_INET) address_.v4.sin_port = htons(port);
  if (family() == AF_INET6) address_.v6.sin6_port = htons(port);
}

bool operator==(const endpoint& left, const endpoint& right) noexcept {
  if (left.family() != right.family()) return false;
  switch (left.family()) {
    case AF_INET:
      return left.port() == right.port() && left.address_.v4.sin_addr.s_addr == right.address_.v4.sin_addr.s_addr;
    case AF_INET6:
      return left.port() == right.port() && left.address_.v6.sin6_scope_id == right.address_.v6.sin6_scope_id &&
             std::memcmp(&left.address_.v6.sin6_addr, &right.address_.v6.sin6_addr, sizeof(in6_addr)) == 0;
    default:
      return left.size_ == right.size_ && std::memcmp(left.data(), right.data(), left.size_) == 0;
  }
}

std::uint64_t client_key(const endpoint& peer) noexcept {
  // No IPv6 address of a client begins like this: 0::/8 is reserved (RFC 4291).
  constexpr std::uint64_t ipv4 = std::uint64_t{0xffff} << 32U;
  if (peer.family() == AF_INET) {
    return ipv4 | ntohl(reinterpret_cast<const sockaddr_in*>(peer.data())->sin_addr.s_addr);
  }
  if (peer.family() != AF_INET6) return 0;
  const in6_addr& address = reinterpret_cast<const sockaddr_in6*>(peer.data())->sin6_addr;
  const auto number_at = [&](std::size_t from, std::size_t to) {
    std::uint64_t number = 0;
    for (std::size_t i = from; i < to; ++i) number = number << 8U | address.s6_addr[i];
    return number;
  };
  return IN6_IS_ADDR_V4MAPPED(&address) ? ipv4 | number_at(12, 16) : number_at(0, 8);
}

}  // namespace tare::net
