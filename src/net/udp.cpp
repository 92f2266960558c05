#include <tare/net/udp.hpp>

#include "io/reactor.hpp"
#include "io/system.hpp"
#include "net/socket.hpp"
#include "sched/usage.hpp"

#include <netinet/in.h>

namespace tare::net {

namespace detail {

result<datagram> take_datagram() {
  const tare::detail::io_taken taken = tare::detail::io_take();
  if (taken.error != 0) return failed(taken.error);
  const tare::detail::io_outcome& made = tare::detail::reactor::if_any()->outcome();
  return datagram{.size = taken.count,
                  .from = endpoint::from(reinterpret_cast<const sockaddr*>(&made.from), made.from_size),
                  .truncated = made.truncated};
}

}  // namespace detail

result<udp_socket> udp_socket::bind(const endpoint& address, udp_options options) {
  tare::detail::require_task("tare::net::udp_socket::bind");
  auto handle = detail::socket_handle::open(address.family(), SOCK_DGRAM);
  if (!handle) return std::unexpected(handle.error());
  if (options.reuse_port) {
    if (auto set = handle->set(SOL_SOCKET, SO_REUSEPORT, 1); !set) return std::unexpected(set.error());
  }
  if (address.family() == AF_INET6) {
    if (auto set = handle->set(IPPROTO_IPV6, IPV6_V6ONLY, options.v6_only ? 1 : 0); !set) {
      return std::unexpected(set.error());
    }
  }
  if (::bind(handle->get(), address.data(), address.size()) != 0) return detail::last_error();
  const result<detail::link> slot = detail::adopt(*handle);
  if (!slot) return std::unexpected(slot.error());
  return udp_socket(*slot);
}

result<void> udp_socket::connect(const endpoint& to) noexcept {
  if (tare::detail::system::connect(native_handle(), to.data(), to.size()) != 0) return detail::last_error();
  return {};
}

result<endpoint> udp_socket::local() const noexcept { return detail::local_of(slot_); }
int udp_socket::native_handle() const noexcept { return detail::descriptor_of(slot_); }

}  // namespace tare::net
