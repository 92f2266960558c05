#pragma once

// The system calls that transfer bytes and connections, in one place, so that tests can link replacements that fail or
// fall short according to a seed (tests/support/faulty_system.cpp). Each is a plain call; nothing is decided at run
// time.

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>

namespace tare::detail::system {

// Like the system calls of the same names; sockets are created and accepted as non-blocking and close-on-exec.
int socket(int family, int type, int protocol) noexcept;
int accept(int fd) noexcept;
int connect(int fd, const sockaddr* address, socklen_t size) noexcept;
ssize_t recv(int fd, void* into, std::size_t size) noexcept;
ssize_t send(int fd, const void* bytes, std::size_t size) noexcept;
ssize_t sendmsg(int fd, const msghdr* message) noexcept;
ssize_t recvmsg(int fd, msghdr* message) noexcept;
int close(int fd) noexcept;

}  // namespace tare::detail::system
