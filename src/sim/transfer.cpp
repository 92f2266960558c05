// The bytes of simulated connections.

#include "sim/kernel.hpp"
#include "sim/socket.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tare::sim::detail {

namespace {

constexpr std::int64_t wait_of_fault = 1000;
constexpr std::int64_t first_retry = 200'000'000;
constexpr std::int64_t longest_retry = 120'000'000'000;
constexpr std::int64_t give_up_after = 924'000'000'000;

}  // namespace

bool stream_socket::must_wait(bool& has_waited, int flags) {
  if (!kernel_.injected.calls_wait || has_waited || (!non_blocking && (flags & MSG_DONTWAIT) == 0)) return false;
  has_waited = true;
  ++kernel_.injected.waited;
  kernel_.fibers.at(kernel_.fibers.now() + wait_of_fault, [waiting = self()] { waiting->changed(); });
  errno = EAGAIN;
  return true;
}

ssize_t stream_socket::send(std::span<const char> bytes, int flags, const address* /*to*/) {
  if (error_ != 0) {
    errno = take_error();
    return -1;
  }
  if (state_ != state::established || end_sent_) {
    errno = state_ == state::fresh || state_ == state::connecting ? ENOTCONN : EPIPE;
    return -1;
  }
  if (bytes.empty()) return 0;
  if (must_wait(send_has_waited_, flags)) return -1;
  if (space() == 0) {
    lacked_space_ = true;
    if ((flags & MSG_DONTWAIT) != 0) {
      errno = EAGAIN;
      return -1;
    }
    if (!wait_for(EPOLLOUT, "send")) return -1;
    return send(bytes, flags, nullptr);
  }
  std::size_t taken = kernel_.net.accepted_of(std::min(bytes.size(), space()));
  faults& injected = kernel_.injected;
  if (injected.counts) injected.write_bytes.push_back(taken);
  const bool is_cut = ++injected.writes == injected.cut_write && injected.cut_after < taken;
  check_sent({bytes.data(), taken});
  outstanding_ += taken;
  const bool is_reset = is_cut && injected.then == faults::end::reset;
  std::string_view left(bytes.data(), is_cut ? injected.cut_after : taken);
  transmit_data(left);
  send_has_waited_ = false;
  if (is_reset) {
    transmit({.what = segment::kind::reset, .bytes = {}});
    auto sent = std::move(in_transit_);
    break_off(ECONNRESET);
    in_transit_ = std::move(sent);  // the peer receives the bytes before the reset, and the reset
  } else if (is_cut) {
    // As soon as these bytes have arrived, nothing does any more, in either direction. The rest is sent all the same,
    // and arrives if the partition ends.
    if (left.empty()) {
      cut_off();
    } else {
      in_transit_.back().cuts = true;
    }
    transmit_data({bytes.data() + left.size(), taken - left.size()});
  }
  return static_cast<ssize_t>(taken);
}

void stream_socket::check_sent(std::string_view bytes) {
  if (checker_ == nullptr) return;
  const std::string wrong = checker_->check(end_, bytes);
  if (wrong.empty()) return;
  const bool is_client = end_ == wire_checker::end::client;
  kernel_.fibers.fail("on a connection to port " + std::to_string(is_client ? remote.port : local.port) + ", the " +
                      (is_client ? "client" : "server") + " " + on->name + " sends what no peer can accept: " + wrong);
}

void stream_socket::transmit_data(std::string_view left) {
  while (!left.empty()) {
    const std::size_t size = kernel_.net.segment_of(left.size());
    transmit({.what = segment::kind::data, .bytes = std::string(left.substr(0, size))});
    left.remove_prefix(size);
  }
}

void stream_socket::cut_off() {
  kernel_.net.cut(*on, *peer_->on);
  kernel_.net.cut(*peer_->on, *on);
}

void stream_socket::transmit(segment sent) {
  if (peer_ == nullptr) return;
  const std::int64_t now = kernel_.fibers.now();
  const std::int64_t spacing = kernel_.net.spacing(*on, *peer_->on, sent.bytes.size());
  sent.arrival = last_arrival_ = std::max(last_arrival_, now + kernel_.net.delay(*on, *peer_->on)) + spacing;
  in_transit_.push_back(std::move(sent));
  if (in_transit_.size() == 1) schedule_arrival(last_arrival_, 0);
}

void stream_socket::schedule_arrival(std::int64_t time, std::int64_t retry_after) {
  kernel_.fibers.at(time, [sender = self(), retry_after, number = ++arrivals_scheduled_] {
    if (number == sender->arrivals_scheduled_) sender->arrive(retry_after);
  });
}

void stream_socket::arrive(std::int64_t retry_after) {
  if (in_transit_.empty() || peer_ == nullptr) return;
  if (kernel_.net.is_cut(*on, *peer_->on) || !peer_->on->up) {
    const std::int64_t now = kernel_.fibers.now();
    if (stalled_since_ < 0) stalled_since_ = now;
    if (now - stalled_since_ > give_up_after) {
      if (!is_closed_) break_off(ETIMEDOUT);
      in_transit_.clear();
      return;
    }
    const std::int64_t again = retry_after == 0 ? first_retry : std::min(retry_after * 2, longest_retry);
    schedule_arrival(now + again, again);
    return;
  }
  stalled_since_ = -1;
  segment& next = in_transit_.front();
  faults& injected = kernel_.injected;
  if (next.what == segment::kind::data && injected.counts) injected.read_bytes.push_back(next.bytes.size());
  if (next.what == segment::kind::data && ++injected.reads == injected.split_read &&
      injected.split_after < next.bytes.size()) {
    // The second part comes after everything else that is under way.
    segment second{.what = segment::kind::data,
                   .bytes = next.bytes.substr(injected.split_after),
                   .arrival = kernel_.fibers.now() + 50'000'000,
                   .cuts = std::exchange(next.cuts, false)};
    next.bytes.resize(injected.split_after);
    in_transit_.insert(in_transit_.begin() + 1, std::move(second));
  }
  segment arrived = std::move(in_transit_.front());
  in_transit_.pop_front();
  const auto keep = self();
  peer_->deliver(arrived);
  if (arrived.cuts) cut_off();
  if (!in_transit_.empty()) schedule_arrival(std::max(kernel_.fibers.now(), in_transit_.front().arrival), 0);
}

/// A segment of the peer has arrived here.
void stream_socket::deliver(segment& arrived) {
  if (arrived.what == segment::kind::reset) {
    if (state_ != state::broken) break_off(ECONNRESET);  // what has been received can still be read
    return;
  }
  if (is_closed_ || state_ == state::broken) {
    if (arrived.what == segment::kind::end && is_closed_) return;
    // Nobody can read this.
    const auto sender = peer_;
    kernel_.fibers.at(kernel_.fibers.now() + kernel_.net.delay(*on, *sender->on), [sender] {
      if (sender->state_ == state::established && !sender->is_closed_) sender->break_off(ECONNRESET);
    });
    return;
  }
  if (arrived.what == segment::kind::end) {
    end_received_ = true;
  } else if (end_received_) {
    acknowledge(arrived.bytes.size(), 0);  // after shutdown(SHUT_RD)
  } else {
    received_ += arrived.bytes;
  }
  changed();
}

/// The peer learns that bytes have been read.
void stream_socket::acknowledge(std::size_t bytes, std::int64_t retry_after) {
  const auto sender = peer_;
  const std::int64_t delay = retry_after != 0 ? retry_after : kernel_.net.delay(*on, *sender->on);
  kernel_.fibers.at(kernel_.fibers.now() + delay, [receiver = self(), sender, bytes, retry_after] {
    kernel& in = receiver->kernel_;
    if (in.net.is_cut(*receiver->on, *sender->on)) {
      if (sender->state_ != state::established) return;
      receiver->acknowledge(bytes, retry_after == 0 ? first_retry : std::min(retry_after * 2, longest_retry));
      return;
    }
    sender->outstanding_ -= std::min(bytes, sender->outstanding_);
    const std::size_t limit = in.net.between(*sender->on, *receiver->on).buffer_bytes;
    if (!sender->lacked_space_ || sender->outstanding_ > limit / 3 * 2) return;
    sender->lacked_space_ = false;
    sender->changed();
  });
}

ssize_t stream_socket::receive(std::span<char> into, int flags, address* from, std::size_t& whole) {
  if (from != nullptr) *from = remote;
  if (state_ == state::fresh || state_ == state::listening || state_ == state::connecting) {
    errno = ENOTCONN;
    return -1;
  }
  if (into.empty()) return 0;
  if ((flags & MSG_DONTWAIT) != 0 && (readiness() & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0) {
    errno = EAGAIN;
    return -1;
  }
  if (!wait_for(EPOLLIN, "recv") || must_wait(receive_has_waited_, flags)) return -1;
  if (received_.empty()) {
    if (error_ == 0) return 0;
    errno = take_error();
    return -1;
  }
  const std::size_t count = std::min(into.size(), received_.size());
  std::copy_n(received_.begin(), count, into.begin());
  whole = count;
  if ((flags & MSG_PEEK) != 0) return static_cast<ssize_t>(count);
  receive_has_waited_ = false;
  received_.erase(0, count);
  acknowledge(count, 0);
  return static_cast<ssize_t>(count);
}

}  // namespace tare::sim::detail
