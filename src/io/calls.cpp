// The calls that the reactor makes when a descriptor is ready.

#include "io/reactor.hpp"
#include "io/system.hpp"

#include <fcntl.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <utility>

namespace tare::detail {

namespace {

/// Errors of accept(2) that concern the failed connection, not the listener.
[[nodiscard]] bool is_about_the_peer(int error) noexcept {
  switch (error) {
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EPERM:
    case EINTR:
      return true;
    default:
      return false;
  }
}

[[nodiscard]] bool is_exhaustion(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/// The error of a descriptor that the kernel has refused to watch.
[[nodiscard]] int why_not_watched(int fd) noexcept { return ::fcntl(fd, F_GETFD) < 0 ? errno : EIO; }

}  // namespace

bool reactor::perform(io_slot& slot, io_call call, io_wait& wait) noexcept {
  outcome_.error = 0;
  outcome_.count = 0;
  const io_direction in = direction_of(call);
  if (call == io_call::attempt_read || call == io_call::attempt_write) {
    return slot.has(io_abandoned) ? fail(ECANCELED) : attempt_(wait, slot, in);
  }
  if (slot.has(io_abandoned | expired_flag(in))) [[unlikely]]
    return fail(slot.has(io_abandoned) ? ECANCELED : ETIMEDOUT);
  switch (call) {
    case io_call::readable:
    case io_call::writable:
      if (slot.has(io_failed) && slot.has(io_foreign)) return fail(why_not_watched(slot.fd));
      return slot.has(ready_flag(in));
    case io_call::read: {
      const auto into = static_cast<io_read_wait&>(wait).into;
      return perform_read(slot, into.data(), into.size());
    }
    case io_call::read_lease:
      return perform_lease(slot);
    case io_call::accept:
      return perform_accept(slot);
    case io_call::write_some:
      return perform_write(slot, static_cast<io_write_wait&>(wait), false);
    case io_call::write:
      return perform_write(slot, static_cast<io_write_wait&>(wait), true);
    case io_call::write_vector:
      return perform_write_vector(slot, static_cast<io_write_vector_wait&>(wait));
    case io_call::receive_from:
      return perform_receive(slot, static_cast<io_read_wait&>(wait));
    case io_call::send_to:
      return perform_send(slot, static_cast<io_send_wait&>(wait));
    default:
      return fail(EINVAL);
  }
}

bool reactor::perform_read(io_slot& slot, std::byte* into, std::size_t size) noexcept {
  if (size == 0) return true;  // recv would return 0 too, but only once there are bytes
  ssize_t got = 0;
  do {
    got = system::recv(slot.fd, into, size);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    return would_block_or_fail(slot, io_readable);
  }
  outcome_.count = static_cast<std::uint32_t>(got);  // the system reads less than 2 GiB at a time
  // That was everything: later bytes will be announced, except for an end that was already announced.
  if (outcome_.count < size && !slot.has(io_ended)) slot.clear(io_readable);
  return true;
}

bool reactor::perform_lease(io_slot& slot) noexcept {
  std::byte* const buffer = buffers_.take();
  if (buffer == nullptr) return fail(ENOMEM);
  const bool done = perform_read(slot, buffer, buffer_pool::buffer_bytes);
  if (!done || outcome_.error != 0 || outcome_.count == 0) {
    buffers_.give_back(buffer);
    return done;
  }
  outcome_.buffer = buffer;
  return true;
}

bool reactor::perform_write(io_slot& slot, io_write_wait& wait, bool all) noexcept {
  while (!wait.left.empty()) {
    const ssize_t sent = system::send(slot.fd, wait.left.data(), wait.left.size());
    if (sent < 0) {
      if (errno == EINTR) continue;
      return would_block_or_fail(slot, io_writable);
    }
    wait.left = wait.left.subspan(static_cast<std::size_t>(sent));
    outcome_.count = static_cast<std::uint32_t>(sent);
    if (!all) break;
  }
  return true;
}

bool reactor::perform_write_vector(io_slot& slot, io_write_vector_wait& wait) noexcept {
  for (;;) {
    std::array<iovec, 16> vectors;
    std::size_t count = 0;
    std::size_t skipped = wait.written_of_first;
    for (const std::span<const std::byte> piece : wait.left) {
      if (count == vectors.size()) break;
      const std::span<const std::byte> rest = piece.subspan(std::exchange(skipped, 0));
      if (!rest.empty()) vectors[count++] = {const_cast<std::byte*>(rest.data()), rest.size()};
    }
    if (count == 0) return true;
    const msghdr message{.msg_name = nullptr,
                         .msg_namelen = 0,
                         .msg_iov = vectors.data(),
                         .msg_iovlen = count,
                         .msg_control = nullptr,
                         .msg_controllen = 0,
                         .msg_flags = 0};
    const ssize_t sent = system::sendmsg(slot.fd, &message);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return would_block_or_fail(slot, io_writable);
    }
    wait.written_of_first += static_cast<std::size_t>(sent);
    while (!wait.left.empty() && wait.written_of_first >= wait.left.front().size()) {
      wait.written_of_first -= wait.left.front().size();
      wait.left = wait.left.subspan(1);
    }
  }
}

bool reactor::perform_accept(io_slot& slot) noexcept {
  // First reserve a slot: a connection without one stays in the backlog.
  io_slot* const accepted = adopt(-1);
  if (accepted == nullptr) {
    pause_accepting(slot);
    return false;
  }
  for (;;) {
    const int fd = system::accept(slot.fd);
    if (fd >= 0) {
      accepted->fd = fd;
      outcome_.count = to_link(accepted);
      return true;
    }
    if (is_about_the_peer(errno)) continue;
    const int error = errno;
    slots_.give_back(*accepted);
    if (is_exhaustion(error)) {
      pause_accepting(slot);
      return false;
    }
    errno = error;
    return would_block_or_fail(slot, io_readable);
  }
}

void reactor::pause_accepting(io_slot& slot) noexcept {
  accept_pause_.begin(slot);
  slot.clear(io_readable);
}

bool reactor::would_block_or_fail(io_slot& slot, std::uint16_t direction) noexcept {
  if (errno != EAGAIN && errno != EWOULDBLOCK) return fail(errno);
  slot.clear(direction);
  return false;
}

bool reactor::perform_receive(io_slot& slot, const io_read_wait& wait) noexcept {
  iovec vector{wait.into.data(), wait.into.size()};
  msghdr message{.msg_name = &outcome_.from,
                 .msg_namelen = sizeof(outcome_.from),
                 .msg_iov = &vector,
                 .msg_iovlen = 1,
                 .msg_control = nullptr,
                 .msg_controllen = 0,
                 .msg_flags = 0};
  ssize_t got = 0;
  do {
    got = system::recvmsg(slot.fd, &message);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return would_block_or_fail(slot, io_readable);
  outcome_.count = static_cast<std::uint32_t>(got);
  outcome_.truncated = (message.msg_flags & MSG_TRUNC) != 0;
  outcome_.from_size = message.msg_namelen;
  return true;
}

bool reactor::perform_send(io_slot& slot, const io_send_wait& wait) noexcept {
  iovec vector{const_cast<std::byte*>(wait.bytes), wait.size};
  const msghdr message{.msg_name = const_cast<void*>(wait.to),
                       .msg_namelen = wait.to_size,
                       .msg_iov = &vector,
                       .msg_iovlen = 1,
                       .msg_control = nullptr,
                       .msg_controllen = 0,
                       .msg_flags = 0};
  ssize_t sent = 0;
  do {
    sent = system::sendmsg(slot.fd, &message);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return would_block_or_fail(slot, io_writable);
  return true;
}

}  // namespace tare::detail
