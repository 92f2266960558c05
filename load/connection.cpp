#include "load/connection.hpp"

#include "http/response_reader.hpp"

#include <tare/net/readiness.hpp>

#include <fmt/format.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace tare::load {
namespace {

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
  const http::detail::transport way = over_.way();
  const std::array<std::span<const std::byte>, 1> whole{std::as_bytes(std::span(what.request))};
  const auto sent = co_await way.write(whole);
  if (!sent) co_return std::unexpected(fmt::format("cannot send: {}", sent.error().message()));

  using http::detail::response_reader;
  response_reader reader({});
  reader.next("GET");
  for (;;) {
    auto got = co_await way.read();
    if (!got) co_return std::unexpected(fmt::format("cannot receive: {}", got.error().message()));
    if (got->empty()) {
      co_return std::unexpected(
          failure(reader.under_way() ? "the response was truncated" : "closed without a response"));
    }
    const auto bytes = got->bytes();
    std::string_view left(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (;;) {
      const auto progress = reader.feed(left);
      left.remove_prefix(reader.consumed());
      if (progress == response_reader::progress::failed) co_return std::unexpected(failure("the response is not HTTP"));
      if (progress == response_reader::progress::incomplete) break;
      if (progress != response_reader::progress::complete) continue;
      if (reader.status() < 200) {  // an interim response; the final one follows
        reader.next("GET");
        continue;
      }
      if (reader.status() != what.status) co_return std::unexpected(fmt::format("responded with {}", reader.status()));
      if (!left.empty()) co_return std::unexpected(failure("sent more than the response"));
      if (!reader.keep_alive()) co_return std::unexpected(failure("does not keep the connection open"));
      co_return std::expected<void, failure>();
    }
  }
}

}  // namespace tare::load
