#include "net/tls/socket_calls.hpp"

#include "io/reactor.hpp"
#include "io/system.hpp"

#include <tare/detail/io_wait.hpp>

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace tare::net::tls {

using tare::detail::io_call;
using tare::detail::io_slot;
using tare::detail::reactor;

namespace {

std::unexpected<std::error_code> would_block() noexcept {
  return std::unexpected(std::make_error_code(std::errc::operation_would_block));
}

result<std::size_t> performed(io_slot& slot, io_call call, tare::detail::io_wait& wait) noexcept {
  if (!reactor::if_any()->perform(slot, call, wait)) return would_block();
  const tare::detail::io_outcome& made = reactor::if_any()->outcome();
  if (made.error != 0) return std::unexpected(std::error_code(made.error, std::generic_category()));
  return made.count;
}

}  // namespace

result<std::size_t> read_some(io_slot& slot, std::span<std::byte> buffer) noexcept {
  // If the reactor knows that there is nothing to read, no call is made.
  if (!slot.has(tare::detail::io_readable | tare::detail::io_read_expired)) return would_block();
  tare::detail::io_read_wait wait(tare::detail::to_link(&slot), buffer);
  return performed(slot, io_call::read, wait);
}

result<std::size_t> write_some(io_slot& slot, std::span<const std::byte> bytes) noexcept {
  tare::detail::io_write_wait wait(tare::detail::to_link(&slot), bytes);
  return performed(slot, io_call::write_some, wait);
}

result<std::size_t> write_kernel_record(io_slot& slot, std::uint8_t type, std::span<const std::byte> bytes) noexcept {
  // From linux/tls.h and sys/socket.h of newer systems.
  constexpr int level_of_tls = 282;
  constexpr int set_record_type = 1;
  if (slot.has(tare::detail::io_write_expired)) return std::unexpected(std::make_error_code(std::errc::timed_out));
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(type))> space{};
  iovec vector{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = level_of_tls;
  head->cmsg_type = set_record_type;
  head->cmsg_len = CMSG_LEN(sizeof(type));
  std::memcpy(CMSG_DATA(head), &type, sizeof(type));
  ssize_t sent = 0;
  do {
    sent = tare::detail::system::sendmsg(slot.fd, &message);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno != EAGAIN) return std::unexpected(std::error_code(errno, std::generic_category()));
  slot.clear(tare::detail::io_writable);
  return would_block();
}

}  // namespace tare::net::tls
