#include "support/faulty_system.hpp"

#include "io/system.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <utility>
#include <vector>

namespace tare::testing {

namespace {

/// Used by every thread that makes system calls.
struct state {
  std::mutex mutex;
  std::array<std::deque<int>, call_kinds> scripts;
  std::mt19937 random;
  unsigned rate = 0;
  unsigned count = 0;
};
state& current() {
  static state made;
  return made;
}

/// The errors that this kind of call can return in reality.
const std::vector<int>& errors_of(call kind) {
  static const std::array<std::vector<int>, call_kinds> all{{
      {EMFILE, ENFILE, ENOBUFS, ENOMEM},
      {EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EPROTO, EINTR, EPERM},
      {ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EADDRNOTAVAIL, EINTR},
      {ECONNRESET, ETIMEDOUT, EINTR, EINTR, EINTR},
      {ECONNRESET, EPIPE, ENOBUFS, EINTR, EINTR, EINTR},
  }};
  return all[static_cast<std::size_t>(kind)];
}

/// 0: no fault.
int next_of(call kind) {
  state& now = current();
  const std::scoped_lock lock(now.mutex);
  auto& script = now.scripts[static_cast<std::size_t>(kind)];
  int outcome = 0;
  if (!script.empty()) {
    outcome = script.front();
    script.pop_front();
  } else if (now.rate != 0 && now.random() % 1000 < now.rate) {
    const auto& errors = errors_of(kind);
    // Half of the faults of writes are short writes.
    outcome = kind == call::send && now.random() % 2 == 0 ? static_cast<int>(now.random() % 500 + 1)
                                                          : -errors[now.random() % errors.size()];
  }
  if (outcome != 0) ++now.count;
  return outcome;
}

/// True if the call has failed.
bool fails(int outcome) {
  if (outcome >= 0) return false;
  errno = -outcome;
  return true;
}

}  // namespace

void faults::script(call kind, std::deque<int> outcomes) {
  const std::scoped_lock lock(current().mutex);
  current().scripts[static_cast<std::size_t>(kind)] = std::move(outcomes);
}

void faults::at_random(std::uint32_t seed, unsigned rate) {
  const std::scoped_lock lock(current().mutex);
  current().random.seed(seed);
  current().rate = rate;
}

void faults::none() {
  const std::scoped_lock lock(current().mutex);
  current().scripts = {};
  current().random = {};
  current().rate = 0;
  current().count = 0;
}

unsigned faults::count() {
  const std::scoped_lock lock(current().mutex);
  return current().count;
}

}  // namespace tare::testing

namespace tare::detail::system {

using testing::call;
using testing::fails;
using testing::next_of;

int socket(int family, int type, int protocol) noexcept {
  if (fails(next_of(call::socket))) return -1;
  return ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

int accept(int fd) noexcept {
  if (fails(next_of(call::accept))) return -1;
  return ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int connect(int fd, const sockaddr* address, socklen_t size) noexcept {
  const int outcome = next_of(call::connect);
  if (outcome == -EINTR) {
    // The connection attempt continues in the meantime.
    (void)::connect(fd, address, size);
  }
  if (fails(outcome)) return -1;
  return ::connect(fd, address, size);
}

ssize_t recv(int fd, void* into, std::size_t size) noexcept {
  if (fails(next_of(call::recv))) return -1;
  return ::recv(fd, into, size, 0);
}

ssize_t send(int fd, const void* bytes, std::size_t size) noexcept {
  const int outcome = next_of(call::send);
  if (fails(outcome)) return -1;
  if (outcome > 0) size = std::min(size, static_cast<std::size_t>(outcome));
  return ::send(fd, bytes, size, MSG_NOSIGNAL);
}

ssize_t sendmsg(int fd, const msghdr* message) noexcept {
  const int outcome = next_of(call::send);
  if (fails(outcome)) return -1;
  if (outcome <= 0 || message->msg_name != nullptr) return ::sendmsg(fd, message, MSG_NOSIGNAL);
  std::vector<iovec> cut;
  auto left = static_cast<std::size_t>(outcome);
  for (std::size_t i = 0; i < message->msg_iovlen && left != 0; ++i) {
    cut.push_back({message->msg_iov[i].iov_base, std::min(left, message->msg_iov[i].iov_len)});
    left -= cut.back().iov_len;
  }
  msghdr shorter = *message;
  shorter.msg_iov = cut.data();
  shorter.msg_iovlen = cut.size();
  return ::sendmsg(fd, &shorter, MSG_NOSIGNAL);
}

ssize_t recvmsg(int fd, msghdr* message) noexcept {
  if (fails(next_of(call::recv))) return -1;
  return ::recvmsg(fd, message, 0);
}

int close(int fd) noexcept { return ::close(fd); }

}  // namespace tare::detail::system
