#include "load/connection.hpp"

#include "load/http_exchange.hpp"
#include "load/websocket_client.hpp"

#include <tare/net/readiness.hpp>

#include <fmt/format.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>
#include <utility>

namespace tare::load {
namespace {

using measure::connection_kind;

constexpr unsigned message_count = 10;
constexpr std::size_t event_count = 10;
constexpr unsigned max_idle_reads = 64;

/// Whether the server still owes the response when the memory is read.
constexpr bool has_response_due(connection_kind kind) noexcept {
  return kind == connection_kind::long_poll || kind == connection_kind::database;
}

/// Owns a descriptor until a stream takes it over.
class socket_owner {
 public:
  explicit socket_owner(int fd) noexcept : fd_(fd) {}
  socket_owner(const socket_owner&) = delete;
  socket_owner& operator=(const socket_owner&) = delete;
  ~socket_owner() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::string reason(int number) { return std::generic_category().message(number); }

/// 0 if it is bound or does not need to be.
int bind_source(int fd, const net::endpoint& to, unsigned source) noexcept {
  const auto* address = reinterpret_cast<const sockaddr_in*>(to.data());
  if (to.family() != AF_INET || ntohl(address->sin_addr.s_addr) >> 24U != 127 || source == 0) return 0;
  // So that the port is chosen at connect, when it only has to differ from those to the same target.
  const int late = 1;
  (void)::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(0x7F000001U + source);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) == 0 ? 0 : errno;
}

}  // namespace

connection::connection(http::detail::connection over) noexcept : over_(std::move(over)) {}
connection::connection(connection&&) noexcept = default;
connection& connection::operator=(connection&&) noexcept = default;
connection::~connection() = default;

task<std::expected<connection, failure>> connection::open(const target& to, unsigned source) {
  socket_owner socket(::socket(to.address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) co_return std::unexpected(fmt::format("cannot create a socket: {}", reason(errno)));
  if (const int wrong = bind_source(socket.get(), to.address, source); wrong != 0) {
    co_return std::unexpected(fmt::format("cannot connect from another loopback address: {}", reason(wrong)));
  }
  int wrong = ::connect(socket.get(), to.address.data(), to.address.size()) == 0 ? 0 : errno;
  if (wrong == EINPROGRESS) {
    if (const auto waited = co_await net::wait_writable(socket.get()); !waited) {
      co_return std::unexpected(fmt::format("cannot connect: {}", waited.error().message()));
    }
    socklen_t size = sizeof wrong;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &wrong, &size) != 0) wrong = errno;
  }
  if (wrong != 0) co_return std::unexpected(fmt::format("cannot connect: {}", reason(wrong)));
  auto stream = net::stream::adopt(socket.get());
  if (!stream) co_return std::unexpected(fmt::format("cannot connect: {}", stream.error().message()));
  (void)socket.release();
  (void)stream->set_no_delay(true);
  if (!to.tls) co_return connection(http::detail::connection(std::move(*stream)));
  auto secret = co_await net::tls::stream::connect(std::move(*stream), *to.tls, to.host);
  if (!secret) co_return std::unexpected(fmt::format("the TLS handshake failed: {}", secret.error().message()));
  co_return connection(http::detail::connection(std::move(*secret)));
}

task<std::expected<void, failure>> connection::exchange(const target& what) {
  if (auto sent = co_await send_all(over_.way(), what.request); !sent) co_return sent;
  co_return co_await receive_response(over_.way(), what.status, what.body);
}

task<std::expected<void, failure>> connection::begin(const target& what) {
  switch (what.kind) {
    case connection_kind::http:
    case connection_kind::https:
      break;
    case connection_kind::websocket:
    case connection_kind::websocket_tls:
      socket_ = std::make_unique<websocket_client>();
      if (auto sent = co_await send_all(over_.way(), what.request); !sent) co_return sent;
      if (auto shaken = co_await socket_->finish_handshake(over_.way()); !shaken) co_return shaken;
      co_return co_await socket_->echo(over_.way(), message_count);
    case connection_kind::sse:
      if (auto sent = co_await send_all(over_.way(), what.request); !sent) co_return sent;
      co_return co_await receive_events(over_.way(), event_count);
    case connection_kind::long_poll:
    case connection_kind::database:
      co_return co_await send_all(over_.way(), what.request);
  }
  co_return co_await exchange(what);
}

task<std::expected<void, failure>> connection::again(const target& what) {
  if (socket_) co_return co_await socket_->echo(over_.way(), message_count);
  if (has_response_due(what.kind)) co_return co_await receive_response(over_.way(), what.status, what.body);
  if (what.kind == connection_kind::sse) co_return std::expected<void, failure>();
  co_return co_await exchange(what);
}

std::expected<void, failure> connection::look(const target& what) {
  // Bounded: an event stream that never rests is not idle, but is no failure.
  for (unsigned reads = 0; reads < max_idle_reads; ++reads) {
    const auto got = over_.way().try_read();
    if (!got && got.error() == std::errc::operation_would_block) break;
    if (!got) return std::unexpected(fmt::format("the idle connection failed: {}", got.error().message()));
    if (got->empty()) return std::unexpected(failure("closed the idle connection"));
    if (has_response_due(what.kind)) return std::unexpected(failure("responded instead of waiting"));
    if (socket_) {
      socket_->keep({reinterpret_cast<const char*>(got->bytes().data()), got->bytes().size()});
    } else if (what.kind != connection_kind::sse) {
      return std::unexpected(failure("sent more than the response"));
    }
  }
  return {};
}

}  // namespace tare::load
