#include <tare/net/connect.hpp>

#include "io/reactor.hpp"
#include "io/slot.hpp"
#include "io/system.hpp"
#include "net/socket.hpp"

#include <tare/event.hpp>
#include <tare/scope.hpp>
#include <tare/timeout.hpp>

#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tare::net {

task<result<stream>> connect(endpoint to) {
  auto handle = detail::socket_handle::open(to.family(), SOCK_STREAM);
  if (!handle) co_return std::unexpected(handle.error());
  if (!to.is_unix()) {
    if (auto set = handle->set(IPPROTO_TCP, TCP_NODELAY, 1); !set) co_return std::unexpected(set.error());
  }
  const bool connected = tare::detail::system::connect(handle->get(), to.data(), to.size()) == 0;
  // An interrupted connect continues too. A Unix socket whose backlog is full returns EAGAIN, which cannot be waited
  // for.
  if (!connected && errno != EINPROGRESS && errno != EINTR) co_return detail::last_error();

  const result<detail::link> slot = detail::adopt(*handle);
  if (!slot) co_return std::unexpected(slot.error());
  stream made = detail::stream_of(*slot);
  if (!connected) {
    tare::detail::from_link<tare::detail::io_slot>(*slot)->clear(tare::detail::io_readable | tare::detail::io_writable);
    if (auto waited = co_await made.writable(); !waited) co_return std::unexpected(waited.error());
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(made.native_handle(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) co_return detail::last_error();
    if (error != 0) co_return detail::failed_with(error);
  }
  co_return made;
}

namespace {

/// RFC 8305, section 4: the address families alternate, beginning with the family of the best address.
std::vector<endpoint> alternating_families(const std::vector<endpoint>& sorted) {
  std::vector<endpoint> first;
  std::vector<endpoint> others;
  for (const endpoint& each : sorted) (each.family() == sorted.front().family() ? first : others).push_back(each);
  std::vector<endpoint> mixed;
  for (std::size_t i = 0; i < std::max(first.size(), others.size()); ++i) {
    if (i < first.size()) mixed.push_back(first[i]);
    if (i < others.size()) mixed.push_back(others[i]);
  }
  return mixed;
}

struct race {
  event changed;  ///< an attempt has ended
  std::size_t failures = 0;
  result<stream> outcome = std::unexpected(std::make_error_code(std::errc::host_unreachable));
};

task<> attempt(race& in, endpoint to) {
  auto made = co_await connect(to);
  if (in.outcome) co_return;  // another attempt has won
  if (!made) ++in.failures;
  in.outcome = std::move(made);
  in.changed.set();
}

task<> start_attempts(scope& attempts, race& in, const std::vector<endpoint>& candidates,
                      std::chrono::milliseconds delay) {
  for (const endpoint& each : candidates) {
    attempts.spawn(attempt(in, each));
    // Until the next attempt is due, or one has failed or won.
    (void)co_await timeout(delay, in.changed.wait());
    in.changed.reset();
    if (in.outcome) break;
  }
  while (!in.outcome && in.failures < candidates.size()) {
    co_await in.changed.wait();
    in.changed.reset();
  }
  attempts.cancel();
}

}  // namespace

task<result<stream>> connect(std::vector<endpoint> candidates, connect_options options) {
  candidates = alternating_families(candidates);
  race in;
  co_await with_scope([&](scope& attempts) { return start_attempts(attempts, in, candidates, options.attempt_delay); });
  co_return std::move(in.outcome);
}

task<result<stream>> connect(std::string host, std::string service, connect_options options) {
  auto found = co_await resolve(std::move(host), std::move(service), options.resolving);
  if (!found) co_return std::unexpected(found.error());
  co_return co_await connect(std::move(*found), std::move(options));
}

}  // namespace tare::net
