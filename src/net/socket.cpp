#include "net/socket.hpp"

#include "io/slot.hpp"
#include "io/system.hpp"
#include "sched/usage.hpp"

#include <fcntl.h>

#include <utility>

namespace tare::net::detail {

using tare::detail::from_link;
using tare::detail::io_slot;
using tare::detail::link;
using tare::detail::no_link;
using tare::detail::reactor;
using tare::detail::slot_table;
using tare::detail::to_link;

socket_handle::~socket_handle() {
  if (fd_ >= 0) (void)tare::detail::system::close(fd_);
}

result<socket_handle> socket_handle::open(int family, int type) {
  socket_handle made(tare::detail::system::socket(family, type, 0));
  if (made.get() < 0) return last_error();
  return made;
}

result<void> socket_handle::set(int level, int option, int value) const noexcept {
  if (::setsockopt(fd_, level, option, &value, sizeof(value)) != 0) return last_error();
  return {};
}

result<link> adopt(socket_handle& handle) noexcept {
  const auto here = reactor::here();
  if (!here) return std::unexpected(here.error());
  io_slot* const slot = (*here)->adopt(handle.get());
  if (slot == nullptr) return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
  (void)handle.release();
  return to_link(slot);
}

result<void> make_non_blocking(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return last_error();
  return {};
}

int descriptor_of(link slot) noexcept { return slot == no_link ? -1 : from_link<io_slot>(slot)->fd; }

namespace {

result<endpoint> address_of(int fd, int (*which)(int fd, sockaddr* into, socklen_t* size)) noexcept {
  if (fd < 0) return std::unexpected(std::make_error_code(std::errc::bad_file_descriptor));
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (which(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return last_error();
  return endpoint::from(reinterpret_cast<const sockaddr*>(&address), size);
}

}  // namespace

result<endpoint> local_of(link slot) noexcept { return address_of(descriptor_of(slot), &::getsockname); }

result<endpoint> peer_of(link slot) noexcept { return address_of(descriptor_of(slot), &::getpeername); }

reactor& reactor_of(link slot, const char* call) noexcept {
  tare::detail::require_task(call);
  reactor* const owner = slot_table::owner_of(*from_link<io_slot>(slot));
  // Without an owner, its runtime has ended.
  if (owner == nullptr || owner != reactor::if_any()) tare::detail::called_on_another_shard(call);
  return *owner;
}

int release_slot(link released, const char* call) noexcept {
  if (released == no_link) return -1;
  return reactor_of(released, call).release(*from_link<io_slot>(released));
}

}  // namespace tare::net::detail
