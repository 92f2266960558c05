#include "sim/socket.hpp"

#include "sim/kernel.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

namespace tare::sim::detail {

ssize_t file::read(std::span<char> /*into*/) {
  errno = EINVAL;
  return -1;
}

ssize_t file::write(std::span<const char> /*bytes*/) {
  errno = EINVAL;
  return -1;
}

std::uint32_t event_counter::readiness() const noexcept {
  return (count_ != 0 ? EPOLLIN : 0U) | (count_ < UINT64_MAX - 1 ? EPOLLOUT : 0U);
}

ssize_t event_counter::read(std::span<char> into) {
  if (into.size() < sizeof(count_)) {
    errno = EINVAL;
    return -1;
  }
  if (count_ == 0) {
    if (!non_blocking) kernel::refuse("a blocking read of an eventfd");
    errno = EAGAIN;
    return -1;
  }
  std::copy_n(reinterpret_cast<const char*>(&count_), sizeof(count_), into.begin());
  count_ = 0;
  changed();
  return sizeof(count_);
}

ssize_t event_counter::write(std::span<const char> bytes) {
  std::uint64_t added = 0;
  if (bytes.size() < sizeof(added)) {
    errno = EINVAL;
    return -1;
  }
  std::copy_n(bytes.begin(), sizeof(added), reinterpret_cast<char*>(&added));
  count_ += added;
  changed();
  return sizeof(added);
}

std::string socket_file::key() const {
  return std::string(kind()) + (local.family == AF_UNIX ? local.path : ':' + std::to_string(local.port));
}

std::vector<socket_file*> bound_to(machine& on, const char* kind, const address& at) {
  const std::string key = std::string(kind) + (at.family == AF_UNIX ? at.path : ':' + std::to_string(at.port));
  const auto found = on.bound.find(key);
  if (found == on.bound.end()) return {};
  std::vector<socket_file*> matching;
  for (socket_file* const each : found->second) {
    const bool same_ip = each->local.ip == 0 || at.ip == 0 || each->local.ip == at.ip;
    const bool same_family = at.family == AF_UNIX || each->local.family == at.family || !each->v6_only;
    if (same_ip && same_family) matching.push_back(each);
  }
  return matching;
}

bool socket_file::shares_address_with(const socket_file& other) const noexcept {
  return reuse_port && other.reuse_port;
}

void socket_file::register_address() {
  registered_as_ = key();
  on->bound[registered_as_].push_back(this);
}

socket_file::~socket_file() { unregister(); }

void socket_file::closed() { unregister(); }

void socket_file::unregister() noexcept {
  if (registered_as_.empty()) return;
  std::erase(on->bound[registered_as_], this);
  registered_as_.clear();
}

int socket_file::bind(const address& at) {
  if (!registered_as_.empty() || at.family != local.family) {
    errno = EINVAL;
    return -1;
  }
  if (at.family != AF_UNIX && at.ip != 0 && !at.is_loopback() && at.ip != on->ip) {
    errno = EADDRNOTAVAIL;
    return -1;
  }
  address wanted = at;
  if (wanted.family != AF_UNIX && wanted.port == 0) {
    do {
      wanted.port = on->next_port = static_cast<std::uint16_t>(on->next_port < 60'999 ? on->next_port + 1 : 32'768);
    } while (!bound_to(*on, kind(), wanted).empty());
  }
  for (const socket_file* const each : bound_to(*on, kind(), wanted)) {
    if (shares_address_with(*each)) continue;
    errno = EADDRINUSE;
    return -1;
  }
  local = wanted;
  register_address();
  return 0;
}

int socket_file::bind_for(const address& to) {
  if (registered_as_.empty() && local.family != AF_UNIX) {
    address any;
    any.family = local.family;
    if (bind(any) != 0) return -1;
  }
  if (local.family != AF_UNIX && local.ip == 0) local.ip = to.is_loopback() ? to.ip : on->ip;
  return 0;
}

int socket_file::listen(int /*backlog*/) {
  errno = EOPNOTSUPP;
  return -1;
}

int socket_file::shutdown(int /*how*/) {
  if (has_peer()) return 0;
  errno = ENOTCONN;
  return -1;
}

bool socket_file::wait_for(std::uint32_t wanted, const char* in) {
  while ((readiness() & (wanted | EPOLLERR | EPOLLHUP)) == 0) {
    if (non_blocking) {
      errno = EAGAIN;
      return false;
    }
    (void)kernel_.fibers.wait_at(this, in, std::nullopt, descriptor);
  }
  return true;
}

ssize_t socket_file::read(std::span<char> into) {
  std::size_t whole = 0;
  return receive(into, 0, nullptr, whole);
}

ssize_t socket_file::write(std::span<const char> bytes) { return send(bytes, 0, nullptr); }

std::uint32_t datagram_socket::readiness() const noexcept {
  return EPOLLOUT | (received_.empty() ? 0U : EPOLLIN) | (error_ != 0 ? EPOLLERR : 0U);
}

int datagram_socket::connect(const address& to) {
  if (bind_for(to) != 0) return -1;
  remote = to;
  return 0;
}

ssize_t datagram_socket::send(std::span<const char> bytes, int /*flags*/, const address* to) {
  if (error_ != 0) {
    errno = take_error();
    return -1;
  }
  if (to == nullptr && !has_peer()) {
    errno = EDESTADDRREQ;
    return -1;
  }
  constexpr std::size_t largest = 65'507;
  if (bytes.size() > largest) {
    errno = EMSGSIZE;
    return -1;
  }
  const address target = to != nullptr ? *to : remote;
  address from = local;
  if (from.port == 0 && bind_for(target) != 0) return -1;
  from = local;
  if (from.ip == 0) from.ip = target.is_loopback() ? target.ip : on->ip;
  machine* const there = target.is_loopback() ? on : kernel_.at_ip(target.ip);
  if (there == nullptr) return static_cast<ssize_t>(bytes.size());  // lost
  random_sequence& random = kernel_.net.random();
  const std::uint64_t lost = kernel_.net.between(*on, *there).lost_datagrams;
  const int copies = there == on ? 1 : (random.once_in(lost) ? 0 : 1) + (random.once_in(lost * 2) ? 1 : 0);
  for (int i = 0; i < copies; ++i) {
    const std::int64_t time = kernel_.fibers.now() + kernel_.net.delay(*on, *there);
    kernel_.fibers.at(time, [self = own.lock(), target, sent = datagram{from, {bytes.data(), bytes.size()}}] {
      static_cast<datagram_socket&>(*self).arrive(sent, target);
    });
  }
  return static_cast<ssize_t>(bytes.size());
}

void datagram_socket::arrive(const datagram& sent, const address& to) {
  machine* const there = to.is_loopback() ? on : kernel_.at_ip(to.ip);
  if (there == nullptr || !there->up || kernel_.net.is_cut(*on, *there)) return;
  const auto targets = bound_to(*there, "datagram", to);
  if (targets.empty()) {
    if (has_peer()) error_ = ECONNREFUSED;  // ICMP
    changed();
    return;
  }
  auto& target = static_cast<datagram_socket&>(*targets.front());
  const bool is_stranger =
      target.has_peer() && (target.remote.ip != sent.from.ip || target.remote.port != sent.from.port);
  constexpr std::size_t most = 256;
  if (is_stranger || target.received_.size() >= most) return;
  target.received_.push_back(sent);
  target.received_.back().from.family = target.local.family;
  target.changed();
}

ssize_t datagram_socket::receive(std::span<char> into, int flags, address* from, std::size_t& whole) {
  if (received_.empty() && error_ == 0 && (flags & MSG_DONTWAIT) != 0) {
    errno = EAGAIN;
    return -1;
  }
  if (!wait_for(EPOLLIN, "recv")) return -1;
  if (error_ != 0) {
    errno = take_error();
    return -1;
  }
  const datagram& first = received_.front();
  if (from != nullptr) *from = first.from;
  whole = first.bytes.size();
  const std::size_t count = std::min(whole, into.size());
  std::copy_n(first.bytes.begin(), count, into.begin());
  if ((flags & MSG_PEEK) == 0) received_.pop_front();
  return static_cast<ssize_t>(count);
}

}  // namespace tare::sim::detail
