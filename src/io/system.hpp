#pragma once

// The system calls that move bytes and connections, in one place, so that the tests can link others in their stead that
// fail or fall short by a seed (tests/support/faulty_system.cpp). A plain call each; nothing is decided at run time.

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>

namespace tare::detail::system {

// As the calls of the same names; sockets are made and accepted non-blocking and close-on-exec.
int socket(int family, int type, int protocol) noexcept;
int accept(int fd) noexcept;
int connect(int fd, const sockaddr* address, socklen_t size) noexcept;
ssize_t recv(int fd, void* into, std::size_t size) noexcept;
ssize_t send(int fd, const void* bytes, std::size_t size) noexcept;
ssize_t sendmsg(int fd, const msghdr* message) noexcept;
ssize_t recvmsg(int fd, msghdr* message) noexcept;
int close(int fd) noexcept;

}  // namespace tare::detail::system
