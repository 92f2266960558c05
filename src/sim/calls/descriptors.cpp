// Descriptors of every kind: read, write, close, fcntl, epoll, poll, eventfd.

#include "sim/calls/real.hpp"
#include "sim/calls/simulating.hpp"
#include "sim/disk_file.hpp"
#include "sim/epoll.hpp"
#include "sim/kernel.hpp"
#include "sim/sanitized.hpp"
#include "sim/socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <vector>

using tare::sim::detail::disk_file;
using tare::sim::detail::epoll_file;
using tare::sim::detail::event_counter;
using tare::sim::detail::file;
using tare::sim::detail::kernel;
using tare::sim::detail::nanoseconds;
using tare::sim::detail::simulating;

namespace tare::sim::detail {

void use_descriptor_calls() noexcept {}

}  // namespace tare::sim::detail

namespace {

[[nodiscard]] std::optional<nanoseconds> deadline_of(kernel& in, const timespec* time) noexcept {
  if (time == nullptr) return std::nullopt;
  return in.fibers.now() + in.here().lasting(time->tv_sec * 1'000'000'000 + time->tv_nsec);
}

int wait_for_events(kernel& in, int fd, epoll_event* into, int most, std::optional<nanoseconds> deadline) {
  const auto waited = in.at<epoll_file>(fd, EINVAL);
  if (waited == nullptr) return in.made("epoll_wait", fd, -1);
  (void)in.made("epoll_wait", fd, most > 0 ? 0 : -1);
  const int count = waited->wait({into, static_cast<std::size_t>(most)}, deadline);
  return in.made("epoll_wait", fd, count);
}

int count_ready(kernel& in, std::span<pollfd> all) {
  int count = 0;
  for (pollfd& each : all) {
    each.revents = 0;
    if (each.fd < 0) continue;
    const auto of = in.at(each.fd);
    const std::uint32_t events = of == nullptr ? POLLNVAL : of->readiness();
    each.revents = static_cast<short>(events & (static_cast<unsigned>(each.events) | POLLERR | POLLHUP | POLLNVAL));
    if (each.revents != 0) ++count;
  }
  return count;
}

int control(int fd, int command, void* argument) {
  kernel& in = *kernel::of_caller();
  const auto of = in.at(fd);
  if (of == nullptr) return -1;
  const auto flags = static_cast<int>(reinterpret_cast<std::intptr_t>(argument));
  const auto* const disk = dynamic_cast<const disk_file*>(of.get());
  switch (command) {
    case F_GETFD:
      return of->close_on_exec ? FD_CLOEXEC : 0;
    case F_SETFD:
      of->close_on_exec = (flags & FD_CLOEXEC) != 0;
      return 0;
    case F_GETFL:
      return (disk == nullptr ? O_RDWR : disk->flags()) | (of->non_blocking ? O_NONBLOCK : 0);
    case F_SETFL:
      of->non_blocking = (flags & O_NONBLOCK) != 0;
      return 0;
    case F_SETLK:
    case F_SETLKW:
      // They belong to the process, and a host has one process, so none is ever in the way.
      if (disk == nullptr) kernel::refuse("fcntl with a lock");
      return in.made("fcntl", fd, 0);
    case F_GETLK:
      if (disk == nullptr) kernel::refuse("fcntl with a lock");
      static_cast<struct flock*>(argument)->l_type = F_UNLCK;
      return in.made("fcntl", fd, 0);
    default:
      kernel::refuse("this command of fcntl");
  }
}

}  // namespace

extern "C" {

ssize_t read(int fd, void* into, size_t size) {
  kernel* const in = simulating(fd, "read");
  if (in == nullptr) return TARE_SIM_REAL(read)(fd, into, size);
  const auto of = in->at(fd);
  return in->made("read", fd, of == nullptr ? -1 : of->read({static_cast<char*>(into), size}));
}

ssize_t write(int fd, const void* bytes, size_t size) {
  kernel* const in = simulating(fd, "write");
  if (in == nullptr) return TARE_SIM_REAL(write)(fd, bytes, size);
  const auto of = in->at(fd);
  return in->made("write", fd, of == nullptr ? -1 : of->write({static_cast<const char*>(bytes), size}));
}

ssize_t writev(int fd, const iovec* vectors, int count) {
  kernel* const in = simulating(fd, "writev");
  if (in == nullptr) return TARE_SIM_REAL(writev)(fd, vectors, count);
  std::vector<char> all;
  for (const iovec& each : std::span(vectors, static_cast<std::size_t>(count))) {
    const auto* const first = static_cast<const char*>(each.iov_base);
    all.insert(all.end(), first, first + each.iov_len);
  }
  return ::write(fd, all.data(), all.size());
}

ssize_t readv(int fd, const iovec* vectors, int count) {
  kernel* const in = simulating(fd, "readv");
  if (in == nullptr) return TARE_SIM_REAL(readv)(fd, vectors, count);
  if (count != 1) kernel::refuse("readv into several buffers");
  return ::read(fd, vectors->iov_base, vectors->iov_len);
}

int close(int fd) {
  kernel* const in = simulating(fd, "close");
  if (in == nullptr) {
    if (kernel* const caller = kernel::of_caller(); caller != nullptr) caller->forget_real_file(fd);
    return TARE_SIM_REAL(close)(fd);
  }
  return in->made("close", fd, in->close(fd));
}

// NOLINTBEGIN(cert-dcl50-cpp): libc's own
int fcntl(int fd, int command, ...) {
  va_list given;
  va_start(given, command);
  void* const argument = va_arg(given, void*);
  va_end(given);
  if (simulating(fd, "fcntl") == nullptr) return TARE_SIM_REAL(fcntl)(fd, command, argument);
  return control(fd, command, argument);
}

int fcntl64(int fd, int command, ...) {
  va_list given;
  va_start(given, command);
  void* const argument = va_arg(given, void*);
  va_end(given);
  return ::fcntl(fd, command, argument);
}

int ioctl(int fd, unsigned long command, ...) noexcept {
  va_list given;
  va_start(given, command);
  void* const argument = va_arg(given, void*);
  va_end(given);
  kernel* const in = simulating(fd, "ioctl");
  if (in == nullptr) return TARE_SIM_REAL(ioctl)(fd, command, argument);
  const auto of = in->at(fd);
  if (of == nullptr) return -1;
  if (command == FIONBIO) {
    of->non_blocking = *static_cast<const int*>(argument) != 0;
    return 0;
  }
  if (command == FIONREAD) {
    const auto* const stream = dynamic_cast<const tare::sim::detail::stream_socket*>(of.get());
    *static_cast<int*>(argument) = stream == nullptr ? 0 : static_cast<int>(stream->unread());
    return 0;
  }
  kernel::refuse("this command of ioctl");
}
// NOLINTEND(cert-dcl50-cpp)

int epoll_create1(int flags) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(epoll_create1)(flags);
  return in->made("epoll_create1", -1, in->open(std::make_shared<epoll_file>(*in)));
}

int epoll_ctl(int fd, int operation, int of, epoll_event* event) noexcept {
  kernel* const in = simulating(fd, "epoll_ctl");
  if (in == nullptr) return TARE_SIM_REAL(epoll_ctl)(fd, operation, of, event);
  const auto changed = in->at<epoll_file>(fd, EINVAL);
  const auto watched = changed == nullptr ? nullptr : in->at(of);
  if (dynamic_cast<const disk_file*>(watched.get()) != nullptr) {
    errno = EPERM;
    return in->made("epoll_ctl", of, -1);
  }
  return in->made("epoll_ctl", of, watched == nullptr ? -1 : changed->control(operation, watched, event));
}

int epoll_wait(int fd, epoll_event* into, int most, int milliseconds) {
  kernel* const in = simulating(fd, "epoll_wait");
  if (in == nullptr) return TARE_SIM_REAL(epoll_wait)(fd, into, most, milliseconds);
  std::optional<nanoseconds> deadline;
  if (milliseconds >= 0) deadline = in->fibers.now() + in->here().lasting(nanoseconds{milliseconds} * 1'000'000);
  return wait_for_events(*in, fd, into, most, deadline);
}

int epoll_pwait2(int fd, epoll_event* into, int most, const timespec* time, const sigset_t* mask) {
  kernel* const in = simulating(fd, "epoll_pwait2");
  if (in == nullptr) return TARE_SIM_REAL(epoll_pwait2)(fd, into, most, time, mask);
  return wait_for_events(*in, fd, into, most, deadline_of(*in, time));
}

int eventfd(unsigned initial, int flags) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(eventfd)(initial, flags);
  const auto made = std::make_shared<event_counter>(initial);
  made->non_blocking = (flags & EFD_NONBLOCK) != 0;
  return in->made("eventfd", -1, in->open(made));
}

int poll(pollfd* all, nfds_t size, int milliseconds) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(poll)(all, size, milliseconds);
  std::optional<nanoseconds> deadline;
  if (milliseconds >= 0) deadline = in->fibers.now() + in->here().lasting(nanoseconds{milliseconds} * 1'000'000);
  for (;;) {
    const int count = count_ready(*in, {all, size});
    const bool expired = deadline && *deadline <= in->fibers.now();
    if (count != 0 || expired) return in->made("poll", -1, count);
    (void)in->fibers.wait_at(&in->fibers, "poll", deadline);
  }
}

// What no part of the simulation needs yet, so that a use is found.
int select(int count, fd_set* read, fd_set* write, fd_set* other, timeval* time) {
  if (kernel::of_caller() != nullptr) kernel::refuse("select");
  return TARE_SIM_REAL(select)(count, read, write, other, time);
}
int timerfd_create(clockid_t clock, int flags) noexcept {
  if (kernel::of_caller() != nullptr) kernel::refuse("timerfd_create");
  return TARE_SIM_REAL(timerfd_create)(clock, flags);
}
int signalfd(int fd, const sigset_t* mask, int flags) noexcept {
  if (kernel::of_caller() != nullptr) kernel::refuse("signalfd");
  return TARE_SIM_REAL(signalfd)(fd, mask, flags);
}
int pipe2(int* into, int flags) noexcept {
  if (kernel::of_caller() != nullptr) kernel::refuse("pipe2");
  return TARE_SIM_REAL(pipe2)(into, flags);
}
int pipe(int* into) noexcept {
  kernel* const in = kernel::of_caller();
  if (in != nullptr && !tare::sim::detail::sanitized) kernel::refuse("pipe");
  const int result = TARE_SIM_REAL(pipe)(into);
  if (in != nullptr && result == 0) {
    // UndefinedBehaviorSanitizer uses one to find out whether memory can be read.
    in->remember_real_file(into[0]);
    in->remember_real_file(into[1]);
  }
  return result;
}
int dup(int fd) noexcept {
  if (kernel::of_caller() != nullptr) kernel::refuse("dup");
  return TARE_SIM_REAL(dup)(fd);
}
FILE* popen(const char* command, const char* mode) {
  if (kernel::of_caller() != nullptr) kernel::refuse("popen");
  return TARE_SIM_REAL(popen)(command, mode);
}
int getpwuid_r(uid_t user, passwd* into, char* buffer, size_t size, passwd** found) {
  if (kernel::of_caller() != nullptr) kernel::refuse("getpwuid_r, of libpq for a URI without a user,");
  return TARE_SIM_REAL(getpwuid_r)(user, into, buffer, size, found);
}
pid_t fork() noexcept {
  if (kernel::of_caller() != nullptr) kernel::refuse("fork");
  return TARE_SIM_REAL(fork)();
}
}
