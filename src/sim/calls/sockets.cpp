// Sockets.

#include "sim/calls/real.hpp"
#include "sim/kernel.hpp"
#include "sim/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <vector>

using tare::sim::detail::address;
using tare::sim::detail::kernel;
using tare::sim::detail::socket_file;
using tare::sim::detail::stream_socket;

namespace tare::sim::detail {

void use_socket_calls() noexcept {}

}  // namespace tare::sim::detail

namespace {

void apply_flags(tare::sim::detail::file& to, int flags) noexcept {
  to.non_blocking = (flags & SOCK_NONBLOCK) != 0;
  to.close_on_exec = (flags & SOCK_CLOEXEC) != 0;
}

[[nodiscard]] std::shared_ptr<socket_file> socket_at(kernel& in, int fd) noexcept {
  return in.at<socket_file>(fd, ENOTSOCK);
}

[[nodiscard]] std::optional<address> address_of(const sockaddr* at, socklen_t size) {
  auto made = address::from(at, size);
  if (!made) errno = ENETUNREACH;
  return made;
}

template <class Call>
int on_socket(int fd, const char* name, Call call) {
  kernel& in = *kernel::of_caller();
  const auto socket = socket_at(in, fd);
  return in.made(name, fd, socket == nullptr ? -1 : call(*socket));
}

ssize_t send_on(kernel& in, int fd, std::span<const char> bytes, int flags, const sockaddr* to, socklen_t size) {
  const auto socket = socket_at(in, fd);
  if (socket == nullptr) return in.made("send", fd, ssize_t{-1});
  std::optional<address> target;
  if (to != nullptr && size != 0) {
    target = address_of(to, size);
    if (!target) return in.made("send", fd, ssize_t{-1});
  }
  return in.made("send", fd, socket->send(bytes, flags, target ? &*target : nullptr));
}

ssize_t receive_on(kernel& in, int fd, std::span<char> into, int flags, address& from, std::size_t& whole) {
  const auto socket = socket_at(in, fd);
  return in.made("recv", fd, socket == nullptr ? -1 : socket->receive(into, flags, &from, whole));
}

int get_option(socket_file& of, int level, int option) noexcept {
  if (level != SOL_SOCKET) return 1;
  switch (option) {
    case SO_ERROR:
      return of.take_error();
    case SO_TYPE:
      return dynamic_cast<const stream_socket*>(&of) != nullptr ? SOCK_STREAM : SOCK_DGRAM;
    case SO_REUSEADDR:
      return of.reuse_address ? 1 : 0;
    case SO_SNDBUF:
    case SO_RCVBUF:
      return 128 * 1024;
    default:
      return 0;
  }
}

void set_option(socket_file& of, int level, int option, const void* value, socklen_t size) noexcept {
  int number = 0;
  std::memcpy(&number, value, std::min<std::size_t>(size, sizeof(number)));
  if (level == SOL_SOCKET && option == SO_REUSEADDR) of.reuse_address = number != 0;
  if (level == SOL_SOCKET && option == SO_REUSEPORT) of.reuse_port = number != 0;
  if (level == IPPROTO_IPV6 && option == IPV6_V6ONLY) of.v6_only = number != 0;
  if (level == SOL_SOCKET && option == SO_LINGER && size >= sizeof(linger)) {
    linger chosen{};
    std::memcpy(&chosen, value, sizeof(chosen));
    of.resets_on_close = chosen.l_onoff != 0 && chosen.l_linger == 0;
  }
}

}  // namespace

extern "C" {

int socket(int family, int type, int protocol) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(socket)(family, type, protocol);
  const int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) kernel::refuse("a socket of this family");
  if (kind != SOCK_STREAM && (kind != SOCK_DGRAM || family == AF_UNIX)) kernel::refuse("a socket of this type");
  std::shared_ptr<socket_file> made;
  if (kind == SOCK_STREAM) {
    made = in->make_stream(in->here(), family);
  } else {
    made = in->make_datagram(in->here(), family);
  }
  apply_flags(*made, type);
  return in->made("socket", -1, in->open(made));
}

int socketpair(int family, int type, int protocol, int* into) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(socketpair)(family, type, protocol, into);
  if (family != AF_UNIX || (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM) kernel::refuse("this socketpair");
  const auto one = in->make_stream(in->here(), family);
  const auto other = in->make_stream(in->here(), family);
  apply_flags(*one, type);
  apply_flags(*other, type);
  stream_socket::join(one, other);
  into[0] = in->open(one);
  into[1] = into[0] < 0 ? -1 : in->open(other);
  if (into[0] >= 0 && into[1] < 0) (void)in->close(into[0]);
  return in->made("socketpair", into[0], into[1] < 0 ? -1 : 0);
}

int bind(int fd, const sockaddr* at, socklen_t size) noexcept {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(bind)(fd, at, size);
  return on_socket(fd, "bind", [&](socket_file& of) {
    const auto wanted = address_of(at, size);
    return wanted ? of.bind(*wanted) : -1;
  });
}

int listen(int fd, int backlog) noexcept {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(listen)(fd, backlog);
  return on_socket(fd, "listen", [&](socket_file& of) { return of.listen(backlog); });
}

int connect(int fd, const sockaddr* at, socklen_t size) {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(connect)(fd, at, size);
  return on_socket(fd, "connect", [&](socket_file& of) {
    const auto wanted = address_of(at, size);
    return wanted ? of.connect(*wanted) : -1;
  });
}

int accept4(int fd, sockaddr* from, socklen_t* size, int flags) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(accept4)(fd, from, size, flags);
  const auto listener = in->at<stream_socket>(fd, ENOTSOCK);
  if (listener == nullptr) return in->made("accept", fd, -1);
  const auto accepted = listener->accept();
  if (accepted == nullptr) return in->made("accept", fd, -1);
  apply_flags(*accepted, flags);
  accepted->remote.store(from, size);
  return in->made("accept", fd, in->open(accepted));
}

int accept(int fd, sockaddr* from, socklen_t* size) {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(accept)(fd, from, size);
  return ::accept4(fd, from, size, 0);
}

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(send)(fd, bytes, size, flags);
  return send_on(*in, fd, {static_cast<const char*>(bytes), size}, flags, nullptr, 0);
}

ssize_t sendto(int fd, const void* bytes, size_t size, int flags, const sockaddr* to, socklen_t to_size) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(sendto)(fd, bytes, size, flags, to, to_size);
  return send_on(*in, fd, {static_cast<const char*>(bytes), size}, flags, to, to_size);
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(sendmsg)(fd, message, flags);
  if (message->msg_controllen != 0) kernel::refuse("sendmsg with control data");
  std::vector<char> all;
  for (const iovec& each : std::span(message->msg_iov, message->msg_iovlen)) {
    const auto* const first = static_cast<const char*>(each.iov_base);
    all.insert(all.end(), first, first + each.iov_len);
  }
  return send_on(*in, fd, all, flags, static_cast<const sockaddr*>(message->msg_name), message->msg_namelen);
}

ssize_t recvfrom(int fd, void* into, size_t size, int flags, sockaddr* from, socklen_t* from_size) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(recvfrom)(fd, into, size, flags, from, from_size);
  address sender;
  std::size_t whole = 0;
  const ssize_t got = receive_on(*in, fd, {static_cast<char*>(into), size}, flags, sender, whole);
  if (got >= 0) sender.store(from, from_size);
  return got;
}

ssize_t recv(int fd, void* into, size_t size, int flags) {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(recv)(fd, into, size, flags);
  return ::recvfrom(fd, into, size, flags, nullptr, nullptr);
}

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(recvmsg)(fd, message, flags);
  if (message->msg_iovlen != 1) kernel::refuse("recvmsg into several buffers");
  const iovec& into = message->msg_iov[0];
  address sender;
  std::size_t whole = 0;
  const ssize_t got = receive_on(*in, fd, {static_cast<char*>(into.iov_base), into.iov_len}, flags, sender, whole);
  if (got < 0) return got;
  message->msg_flags = std::cmp_greater(whole, got) ? MSG_TRUNC : 0;
  message->msg_controllen = 0;
  if (message->msg_name != nullptr) {
    socklen_t size = message->msg_namelen;
    sender.store(static_cast<sockaddr*>(message->msg_name), &size);
    message->msg_namelen = size;
  }
  return got;
}

int shutdown(int fd, int how) noexcept {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(shutdown)(fd, how);
  return on_socket(fd, "shutdown", [&](socket_file& of) { return of.shutdown(how); });
}

int getsockname(int fd, sockaddr* into, socklen_t* size) noexcept {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(getsockname)(fd, into, size);
  return on_socket(fd, "getsockname", [&](socket_file& of) {
    of.local.store(into, size);
    return 0;
  });
}

int getpeername(int fd, sockaddr* into, socklen_t* size) noexcept {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(getpeername)(fd, into, size);
  return on_socket(fd, "getpeername", [&](socket_file& of) {
    if (!of.has_peer()) {
      errno = ENOTCONN;
      return -1;
    }
    of.remote.store(into, size);
    return 0;
  });
}

int getsockopt(int fd, int level, int option, void* value, socklen_t* size) noexcept {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(getsockopt)(fd, level, option, value, size);
  return on_socket(fd, "getsockopt", [&](socket_file& of) {
    const int number = get_option(of, level, option);
    *size = std::min<socklen_t>(*size, sizeof(number));
    std::memcpy(value, &number, *size);
    return 0;
  });
}

int setsockopt(int fd, int level, int option, const void* value, socklen_t size) noexcept {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(setsockopt)(fd, level, option, value, size);
  return on_socket(fd, "setsockopt", [&](socket_file& of) {
    set_option(of, level, option, value, size);
    return 0;
  });
}
}
