#include "http/socket_limits.hpp"

#include <tare/http/server.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <system_error>

namespace tare::http::detail {

namespace {

net::result<void> set(int descriptor, int level, int option, std::uint32_t bytes) noexcept {
  const auto value = static_cast<int>(std::min<std::uint32_t>(bytes, std::numeric_limits<int>::max()));
  if (::setsockopt(descriptor, level, option, &value, sizeof value) == 0) return {};
  return std::unexpected(std::error_code(errno, std::generic_category()));
}

bool is_tcp(int descriptor) noexcept {
  int protocol = 0;
  socklen_t size = sizeof protocol;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP;
}

}  // namespace

net::result<void> limit_kernel_buffers(const net::listener& listening, const server_options& options) {
  if (!listening.is_open()) return {};
  const int descriptor = listening.native_handle();
  if (options.send_buffer_bytes != 0) {
    if (auto done = set(descriptor, SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes); !done) return done;
  }
  if (options.max_unsent_bytes == 0 || !is_tcp(descriptor)) return {};
  return set(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, options.max_unsent_bytes);
}

}  // namespace tare::http::detail
