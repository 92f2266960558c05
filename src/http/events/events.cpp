#include <tare/http/events.hpp>

#include "http/lasting/lasting.hpp"
#include "http/server_core.hpp"
#include "io/reactor.hpp"
#include "sched/visit.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <limits>

namespace tare::http {

namespace detail {

using tare::detail::from_link;
using tare::detail::io_call;
using tare::detail::io_direction;
using tare::detail::io_slot;
using tare::detail::no_link;
using tare::detail::parent_kind;
using tare::detail::reactor;
using tare::detail::visit;
using tare::detail::wait_state;

namespace {

// A client that sends more than this has not understood that it is to listen.
constexpr int max_reads = 8;

/// The system ends the connection if nothing is acknowledged for this long.
void limit_silence(int descriptor, std::chrono::nanoseconds time) noexcept {
  using std::chrono::milliseconds;
  const auto wanted = std::chrono::duration_cast<milliseconds>(time);
  const auto limit = static_cast<unsigned>(std::min<std::int64_t>(wanted.count(), std::numeric_limits<int>::max()));
  // Sockets that are not TCP have no such limit.
  (void)::setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
}

}  // namespace

void lasting::begin_events() noexcept {
  io_slot* const there = slot();
  if (there == nullptr) return;
  const std::chrono::nanoseconds heartbeat = options().ping_interval;
  if (heartbeat.count() > 0)
    limit_silence(there->fd, 2 * std::min<std::chrono::nanoseconds>(heartbeat, std::chrono::hours(24)));
  set_deadline();
  if (!reactor::if_any()->wait_without_task(of_, io_call::attempt_read)) return;
  attempt_events(*there);
}

void lasting::attempt_events(io_slot& there) noexcept {
  if (there.has(tare::detail::io_read_expired)) {
    const lasting_work* const now = work();
    const bool is_busy = now != nullptr && now->is_sending();
    if (!is_busy) send_small(of_.is_chunked_ ? "3\r\n:\n\n\r\n" : ":\n\n", false);
    set_deadline();
  }
  for (int reads = 0; reads < max_reads; ++reads) {
    if (!there.has(tare::detail::io_readable) && of_.kind_ == lasting_connection::carrier::plain) return;
    const auto got = connection().try_read();
    if (!got && got.error() == std::errc::operation_would_block) return;
    if (!got || got->empty()) break;
  }
  of_.gone_ = true;
  cancel_handler();
}

// The task of the connection, wherever it has moved.
void lasting::cancel_handler() noexcept {
  if (of_.handler_ == no_link) return;
  const wait_state& handler = *from_link<wait_state>(of_.handler_);
  wait_state& mine = *from_link<wait_state>(handler.parent);
  wait_state* root = &mine;
  while (root->kind_of_parent() == parent_kind::frame && root->parent != no_link) {
    root = from_link<wait_state>(root->parent);
  }
  visit* const away = visit::of(*root);
  if (away != nullptr && away->cancel_or_send() == nullptr) return;
  tare::detail::cancel(mine);
}

void lasting::end_events() noexcept {
  of_.handler_ = no_link;
  if (reactor* const here = reactor::if_any(); here != nullptr) here->end_wait_without_task(of_, io_direction::read);
  if (of_.cut_ || of_.gone_ || of_.has_failed_) return;
  if (of_.is_chunked_) send_small("0\r\n\r\n", true);
}

}  // namespace detail

std::size_t event_stream::buffered_bytes() const noexcept { return detail::lasting(connection_).buffered_bytes(); }
net::result<net::endpoint> event_stream::peer() const noexcept {
  return detail::lasting(connection_).connection().peer();
}

}  // namespace tare::http
