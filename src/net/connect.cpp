#include <tare/net/connect.hpp>

#include "io/reactor.hpp"
#include "io/slot.hpp"
#include "io/system.hpp"
#include "net/socket.hpp"

#include <netinet/tcp.h>

#include <cerrno>
#include <utility>

namespace tare::net {

task<result<stream>> connect(endpoint to) {
  auto handle = detail::socket_handle::open(to.family(), SOCK_STREAM);
  if (!handle) co_return std::unexpected(handle.error());
  if (!to.is_unix()) {
    if (auto set = handle->set(IPPROTO_TCP, TCP_NODELAY, 1); !set) co_return std::unexpected(set.error());
  }
  const bool connected = tare::detail::system::connect(handle->get(), to.data(), to.size()) == 0;
  // Interrupted, it goes on too; a Unix socket whose backlog is full gives EAGAIN, which cannot be waited for.
  if (!connected && errno != EINPROGRESS && errno != EINTR) co_return detail::last_error();

  const result<detail::link> slot = detail::adopt(*handle);
  if (!slot) co_return std::unexpected(slot.error());
  stream made = detail::stream_of(*slot);
  if (!connected) {
    tare::detail::from_link<tare::detail::io_slot>(*slot)->clear(tare::detail::io_readable | tare::detail::io_writable);
    if (auto waited = co_await made.writable(); !waited) co_return std::unexpected(waited.error());
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(made.native_handle(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) co_return detail::last_error();
    if (error != 0) co_return std::unexpected(std::error_code(error, std::generic_category()));
  }
  co_return made;
}

}  // namespace tare::net
