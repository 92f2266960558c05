#include <tare/net/resolve.hpp>

#include "io/sigpipe_guard.hpp"

#include <tare/error.hpp>
#include <tare/net/readiness.hpp>
#include <tare/offload.hpp>
#include <tare/timeout.hpp>
#include <tare/when.hpp>

#include <ares.h>

#include <sys/time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>

namespace tare::net {

namespace {

class ares_category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "resolve"; }
  [[nodiscard]] std::string message(int error) const override { return ::ares_strerror(error); }
  [[nodiscard]] std::error_condition default_error_condition(int error) const noexcept override {
    switch (error) {
      case ARES_ETIMEOUT:
        return std::errc::timed_out;
      case ARES_ENOMEM:
        return std::errc::not_enough_memory;
      case ARES_ENOTFOUND:
      case ARES_ENODATA:
        return std::errc::host_unreachable;
      case ARES_ECONNREFUSED:
        return std::errc::connection_refused;
      default:
        return {error, *this};
    }
  }
};

std::unexpected<std::error_code> failed(int status) noexcept {
  return std::unexpected(std::error_code(status, resolve_category()));
}

struct destroy_channel {
  void operator()(ares_channel channel) const noexcept { ::ares_destroy(channel); }
};
using channel_owner = std::unique_ptr<ares_channeldata, destroy_channel>;

/// A lookup in progress. The channel calls back when it is destroyed, so it is destroyed before the target of the
/// callback.
struct lookup {
  std::optional<int> status;
  std::vector<endpoint> found;
  channel_owner channel;

  static void finished(void* self, int status, int /*timeouts*/, ares_addrinfo* addresses) {
    auto& ended = *static_cast<lookup*>(self);
    ended.status = status;
    if (addresses == nullptr) return;
    for (const ares_addrinfo_node* each = addresses->nodes; each != nullptr; each = each->ai_next) {
      const endpoint address = endpoint::from(each->ai_addr, each->ai_addrlen);
      if (std::ranges::find(ended.found, address) == ended.found.end()) ended.found.push_back(address);
    }
    ::ares_freeaddrinfo(addresses);
  }

  /// Reads the system's files, so do not call it on the shard.
  void begin(const std::string& host, const std::string& service, const resolve_options& options) {
    ares_options chosen{};
    chosen.timeout = static_cast<int>(options.timeout.count());
    chosen.tries = options.tries;
    ares_channel made = nullptr;
    int result = ::ares_init_options(&made, &chosen, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (result == ARES_SUCCESS) {
      channel.reset(made);
      if (!options.servers.empty()) result = ::ares_set_servers_ports_csv(made, options.servers.c_str());
    }
    if (result != ARES_SUCCESS) {
      status = result;
      return;
    }
    const tare::detail::sigpipe_guard guard;  // sends the first query
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ::ares_getaddrinfo(made, host.c_str(), service.c_str(), &hints, &lookup::finished, this);
  }
};

task<> wait_for(int fd, bool writable) {
  // An error appears when c-ares uses the socket.
  if (writable) {
    (void)co_await wait_writable(fd);
  } else {
    (void)co_await wait_readable(fd);
  }
}

/// It writes to name servers; over TCP with writev(2).
void process(ares_channeldata* channel, ares_socket_t readable, ares_socket_t writable) noexcept {
  const tare::detail::sigpipe_guard guard;
  ::ares_process_fd(channel, readable, writable);
}

/// Runs c-ares whenever one of its sockets is ready or one of its timeouts has expired. Returns the final status.
task<int> drive(lookup& pending) {
  ares_channeldata* const channel = pending.channel.get();
  while (!pending.status) {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
    const auto wanted =
        static_cast<unsigned>(::ares_getsock(channel, sockets.data(), static_cast<int>(sockets.size())));
    std::vector<task<>> waits;
    for (unsigned i = 0; i < sockets.size(); ++i) {
      if (ARES_GETSOCK_READABLE(wanted, i)) waits.push_back(wait_for(sockets[i], false));
      if (ARES_GETSOCK_WRITABLE(wanted, i)) waits.push_back(wait_for(sockets[i], true));
    }
    timeval limit{};
    const timeval* const next = ::ares_timeout(channel, nullptr, &limit);
    const auto longest = next == nullptr
                             ? std::chrono::microseconds(1'000'000)
                             : std::chrono::seconds(next->tv_sec) + std::chrono::microseconds(next->tv_usec);
    if (waits.empty()) {
      co_await sleep_for(longest);
    } else {
      (void)co_await timeout(longest, when_any(std::move(waits)));
    }
    // Non-blocking: reading when there is nothing costs only a call, and lookups are rare.
    if (wanted == 0) process(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    for (unsigned i = 0; i < sockets.size(); ++i) {
      const bool reads = ARES_GETSOCK_READABLE(wanted, i);
      const bool writes = ARES_GETSOCK_WRITABLE(wanted, i);
      if (reads || writes) {
        process(channel, reads ? sockets[i] : ARES_SOCKET_BAD, writes ? sockets[i] : ARES_SOCKET_BAD);
      }
    }
  }
  co_return *pending.status;
}

std::optional<std::uint16_t> numeric_port(const std::string& service) noexcept {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(service.data(), service.data() + service.size(), port);
  if (error != std::errc() || end != service.data() + service.size()) return std::nullopt;
  return port;
}

}  // namespace

const std::error_category& resolve_category() noexcept {
  static const ares_category category;
  return category;
}

task<result<std::vector<endpoint>>> resolve(std::string host, std::string service, resolve_options options) {
  const std::optional<std::uint16_t> port = numeric_port(service);
  if (port) {
    if (auto numeric = endpoint::parse_address(host, *port)) co_return std::vector{*numeric};
  }
  if (host.empty() || host.contains('\0')) co_return failed(ARES_EBADNAME);
  lookup pending;
  co_await offload([&] { pending.begin(host, service, options); });
  if (const int status = co_await drive(pending); status != ARES_SUCCESS) co_return failed(status);
  if (pending.found.empty()) co_return failed(ARES_ENODATA);
  co_return std::move(pending.found);
}

}  // namespace tare::net
