#include "io/system.hpp"

#include <unistd.h>

namespace tare::detail::system {

int socket(int family, int type, int protocol) noexcept {
  return ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}
int accept(int fd) noexcept { return ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); }
int connect(int fd, const sockaddr* address, socklen_t size) noexcept { return ::connect(fd, address, size); }
ssize_t recv(int fd, void* into, std::size_t size) noexcept { return ::recv(fd, into, size, 0); }
ssize_t send(int fd, const void* bytes, std::size_t size) noexcept { return ::send(fd, bytes, size, MSG_NOSIGNAL); }
ssize_t sendmsg(int fd, const msghdr* message) noexcept { return ::sendmsg(fd, message, MSG_NOSIGNAL); }
ssize_t recvmsg(int fd, msghdr* message) noexcept { return ::recvmsg(fd, message, 0); }
int close(int fd) noexcept { return ::close(fd); }

}  // namespace tare::detail::system
