#include "sim/kernel.hpp"
#include "sim/socket.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tare::sim::detail {

namespace {

// As Linux does it: the first retransmission after about 200 ms, then twice as long each time; a connection is given up
// after about 15 minutes, an attempt to connect after about two.
constexpr std::int64_t longest_retry = 120'000'000'000;
constexpr std::int64_t first_connect_retry = 1'000'000'000;
constexpr std::int64_t give_up_connecting_after = 127'000'000'000;

[[nodiscard]] std::int64_t later(std::int64_t retry_after) noexcept { return std::min(retry_after * 2, longest_retry); }

}  // namespace

bool stream_socket::shares_address_with(const socket_file& other) const noexcept {
  if (socket_file::shares_address_with(other)) return true;
  const auto& stream = static_cast<const stream_socket&>(other);
  // Connections do not occupy the port of their listener.
  return local.family != AF_UNIX && stream.state_ != state::listening && stream.state_ != state::fresh;
}

std::size_t stream_socket::space() const noexcept {
  const std::size_t limit = peer_ == nullptr ? 0 : kernel_.net.between(*on, *peer_->on).buffer_bytes;
  return limit > outstanding_ ? limit - outstanding_ : 0;
}

std::uint32_t stream_socket::readiness() const noexcept {
  std::uint32_t events = 0;
  switch (state_) {
    case state::fresh:
      return EPOLLOUT | EPOLLHUP;
    case state::listening:
      return accepted_.empty() ? 0U : EPOLLIN;
    case state::connecting:
      return 0;
    case state::broken:
      events = EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP;
      break;
    case state::established:
      if (!received_.empty() || end_received_) events |= EPOLLIN;
      if (end_received_) events |= EPOLLRDHUP;
      if (end_received_ && end_sent_) events |= EPOLLHUP;
      if (end_sent_ || !lacked_space_) events |= EPOLLOUT;
      break;
  }
  return events | (error_ != 0 ? EPOLLERR : 0U);
}

std::shared_ptr<stream_socket> stream_socket::listener_for(const address& to) const {
  machine* const there = to.family == AF_UNIX || to.is_loopback() ? on : kernel_.at_ip(to.ip);
  if (there == nullptr || !there->up) return nullptr;
  std::vector<stream_socket*> found;
  for (socket_file* const each : bound_to(*there, kind(), to)) {
    auto& candidate = static_cast<stream_socket&>(*each);
    if (candidate.state_ == state::listening) found.push_back(&candidate);
  }
  if (found.empty()) return nullptr;
  // Listeners that share a port share its connections.
  return found[kernel_.net.random().below(found.size())]->self();
}

int stream_socket::connect(const address& to) {
  if (state_ == state::connecting || state_ == state::established) {
    errno = state_ == state::connecting ? EALREADY : EISCONN;
    return -1;
  }
  if (bind_for(to) != 0) return -1;
  remote = to;
  if (to.ip == 0) remote.ip = address::loopback;
  if (to.family == AF_UNIX) {
    const auto listener = listener_for(to);
    if (listener == nullptr || listener->accepted_.size() > listener->backlog_) {
      errno = listener == nullptr ? (to.path.front() == '\0' ? ECONNREFUSED : ENOENT) : EAGAIN;
      return -1;
    }
    const auto accepted = kernel_.make_stream(*on, local.family);
    accepted->local = to;
    join(self(), accepted);
    accepted->is_pair = is_pair = false;
    listener->enter_queue(accepted);
    return 0;
  }
  state_ = state::connecting;
  connecting_since_ = kernel_.fibers.now();
  send_handshake(first_connect_retry);
  if (!non_blocking) {
    while (state_ == state::connecting) (void)kernel_.fibers.wait_at(this, "connect", std::nullopt, descriptor);
    if (error_ == 0) return 0;
    errno = take_error();
    return -1;
  }
  errno = EINPROGRESS;
  return -1;
}

void stream_socket::send_handshake(std::int64_t retry_after) {
  machine* const there = remote.is_loopback() ? on : kernel_.at_ip(remote.ip);
  const auto again = [client = self(), retry_after] {
    if (client->state_ != state::connecting || client->peer_ != nullptr) return;
    if (client->kernel_.fibers.now() - client->connecting_since_ > give_up_connecting_after) {
      client->break_off(ETIMEDOUT);
    } else {
      client->send_handshake(later(retry_after));
    }
  };
  kernel_.fibers.at(kernel_.fibers.now() + retry_after, again);
  if (there == nullptr) return;
  kernel_.fibers.at(kernel_.fibers.now() + kernel_.net.delay(*on, *there), [client = self(), there] {
    if (client->state_ != state::connecting || client->peer_ != nullptr || !there->up) return;
    if (client->kernel_.net.is_cut(*client->on, *there)) return;
    const auto listener = client->listener_for(client->remote);
    if (listener != nullptr) {
      listener->receive_handshake(client);
    } else if (!client->kernel_.net.is_cut(*there, *client->on)) {
      kernel& in = client->kernel_;
      in.fibers.at(in.fibers.now() + in.net.delay(*there, *client->on), [client] {
        if (client->state_ == state::connecting) client->break_off(ECONNREFUSED);
      });
    }
  });
}

/// The client's handshake has arrived at a listener.
void stream_socket::receive_handshake(const std::shared_ptr<stream_socket>& client) {
  if (accepted_.size() + half_open_ > backlog_) return;  // the client tries again
  if (kernel_.net.is_cut(*on, *client->on)) return;
  const auto accepted = kernel_.make_stream(*on, local.family);
  accepted->local = client->remote;
  accepted->local.family = local.family;
  accepted->remote = client->local;
  accepted->remote.family = local.family;
  accepted->state_ = state::established;
  accepted->end_ = wire_checker::end::server;
  if (const auto watched = kernel_.watched.find(local.port); watched != kernel_.watched.end()) {
    accepted->checker_ = watched->second();
  }
  ++half_open_;
  const std::int64_t arrival = kernel_.fibers.now() + kernel_.net.delay(*on, *client->on);
  kernel_.fibers.at(arrival, [listener = self(), client, accepted] {
    kernel& in = listener->kernel_;
    --listener->half_open_;
    if (client->state_ != state::connecting || client->peer_ != nullptr) return;
    client->peer_ = accepted;
    client->checker_ = accepted->checker_;
    accepted->peer_ = client;
    client->state_ = state::established;
    client->changed();
    in.fibers.at(in.fibers.now() + in.net.delay(*client->on, *listener->on), [listener, accepted] {
      if (listener->state_ == state::listening) {
        listener->enter_queue(accepted);
      } else {
        accepted->closed();
      }
    });
  });
}

void stream_socket::enter_queue(const std::shared_ptr<stream_socket>& accepted) {
  accepted_.push_back(accepted);
  changed();
}

int stream_socket::listen(int backlog) {
  if (state_ != state::fresh && state_ != state::listening) {
    errno = EINVAL;
    return -1;
  }
  if (local.family != AF_UNIX && local.port == 0) {
    address any;
    any.family = local.family;
    if (bind(any) != 0) return -1;
  }
  for (socket_file* const each : bound_to(*on, kind(), local)) {
    auto& other = static_cast<stream_socket&>(*each);
    if (&other == this || other.state_ != state::listening || (reuse_port && other.reuse_port)) continue;
    errno = EADDRINUSE;
    return -1;
  }
  state_ = state::listening;
  backlog_ = static_cast<std::size_t>(std::clamp(backlog, 0, 4096));
  return 0;
}

std::shared_ptr<stream_socket> stream_socket::accept() {
  if (state_ != state::listening) {
    errno = EINVAL;
    return nullptr;
  }
  if (!wait_for(EPOLLIN, "accept")) return nullptr;
  // The descriptor comes first: without one the connection stays in the queue.
  if (on->descriptors >= on->max_descriptors) {
    errno = EMFILE;
    return nullptr;
  }
  auto first = accepted_.front();
  accepted_.pop_front();
  return first;
}

void stream_socket::join(const std::shared_ptr<stream_socket>& one, const std::shared_ptr<stream_socket>& other) {
  one->peer_ = other;
  other->peer_ = one;
  one->state_ = other->state_ = state::established;
  one->is_pair = other->is_pair = true;
}

int stream_socket::shutdown(int how) {
  if (state_ != state::established) {
    errno = ENOTCONN;
    return -1;
  }
  if (how != SHUT_WR) {
    received_.clear();
    end_received_ = true;
  }
  if (how != SHUT_RD && !std::exchange(end_sent_, true)) transmit({.what = segment::kind::end, .bytes = {}});
  changed();
  return 0;
}

void stream_socket::closed() {
  socket_file::closed();
  if (std::exchange(is_closed_, true)) return;
  for (const auto& each : std::exchange(accepted_, {})) {
    each->resets_on_close = true;
    each->closed();
  }
  if (state_ == state::established) {
    if (!received_.empty() || resets_on_close) {
      in_transit_.clear();
      transmit({.what = segment::kind::reset, .bytes = {}});
      state_ = state::broken;
    } else if (!std::exchange(end_sent_, true)) {
      transmit({.what = segment::kind::end, .bytes = {}});
    }
  } else {
    state_ = state::broken;
  }
}

void stream_socket::vanish() {
  socket_file::closed();
  is_closed_ = true;
  state_ = state::broken;
  in_transit_.clear();
  accepted_.clear();
}

void stream_socket::break_off(int error) {
  state_ = state::broken;
  error_ = error;
  end_received_ = true;
  in_transit_.clear();
  changed();
}

}  // namespace tare::sim::detail
