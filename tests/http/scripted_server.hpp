#pragma once

// A server that follows a script, over plain TCP or TLS, for tests of the client: it responds early, late, in pieces,
// twice, without a request, or not at all.

#include "http/loopback.hpp"
#include "support/identity.hpp"

#include <tare/http/detail/connection.hpp>

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace tare::test {

/// The server's end of a connection.
class scripted_peer {
 public:
  scripted_peer(http::detail::connection over, int fd) noexcept : over_(std::move(over)), fd_(fd) {}

  /// Reads a request's head, and its body if the head announces a length. False if the client has closed the
  /// connection.
  task<bool> request() {
    for (;;) {
      const std::size_t end = unread_.find("\r\n\r\n");
      if (end != std::string::npos) {
        const std::size_t at = unread_.find("content-length: ");
        const std::size_t body = at < end ? std::stoul(unread_.substr(at + 16)) : 0;
        while (unread_.size() < end + 4 + body) {
          if (!co_await more()) co_return false;
        }
        unread_.erase(0, end + 4 + body);
        co_return true;
      }
      if (!co_await more()) co_return false;
    }
  }
  /// Reads only a request's head; what follows stays.
  task<std::string> head() {
    while (unread_.find("\r\n\r\n") == std::string::npos) {
      if (!co_await more()) co_return std::string();
    }
    const std::size_t size = unread_.find("\r\n\r\n") + 4;
    std::string text = unread_.substr(0, size);
    unread_.erase(0, size);
    co_return text;
  }
  task<bool> more() {
    auto got = co_await over_.way().read();
    if (!got || got->empty()) co_return false;
    unread_.append(reinterpret_cast<const char*>(got->bytes().data()), got->size());
    co_return true;
  }
  task<> send(std::string_view text) {
    const std::array<std::span<const std::byte>, 1> whole{std::as_bytes(std::span(text))};
    (void)co_await over_.way().write(whole);
  }
  task<> until_closed() {
    bool open = true;
    while (open) {
      unread_.clear();
      open = co_await more();
    }
  }

  void say_end() { over_.way().shutdown_write(); }  ///< with TLS: close_notify
  void close() { over_.close(); }
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    (void)::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    over_.close();
  }
  [[nodiscard]] std::string& unread() noexcept { return unread_; }

 private:
  http::detail::connection over_;
  int fd_;
  std::string unread_;
};

/// What to do with the n-th connection, counted from 0. It is closed afterwards.
using script = std::function<task<>(scripted_peer&, int)>;

class scripted_server {
 public:
  scripted_server(bool tls, script follows) : script_(std::move(follows)) {
    auto bound = net::listener::bind(net::endpoint::loopback(0));
    if (!bound) throw std::runtime_error("bind: " + bound.error().message());
    listening_ = std::move(*bound);
    if (!tls) return;
    const support::identity& ours = support::identity::shared();
    identity_ = net::tls::context::server({.certificate = ours.certificate, .key = ours.key}).value();
  }

  /// Serves until `use` has ended.
  task<> serve_while(task<> use) { co_await when_any(serve(), std::move(use)); }

  [[nodiscard]] std::string url() const {
    return (identity_ ? "https://localhost:" : "http://127.0.0.1:") + std::to_string(listening_.local()->port()) + "/";
  }
  [[nodiscard]] std::uint16_t port() const { return listening_.local()->port(); }
  [[nodiscard]] int accepted() const noexcept { return accepted_; }

  /// Options of a client that trusts this server.
  [[nodiscard]] static http::client_options trusting(http::client_options options = {}) {
    options.tls =
        net::tls::context::client({.authorities = support::identity::shared().certificate, .alpn = {}}).value();
    return options;
  }

 private:
  task<> serve() {
    co_await with_scope([this](scope& connections) -> task<> {
      for (;;) {
        auto plain = co_await listening_.accept();
        if (!plain) co_return;
        connections.spawn(serve_one(std::move(*plain), accepted_++));
      }
    });
  }

  task<> serve_one(net::stream plain, int number) {
    const int fd = plain.native_handle();
    http::detail::connection over;
    if (identity_) {
      auto secret = co_await net::tls::stream::accept(std::move(plain), *identity_);
      if (!secret) co_return;
      over = http::detail::connection(std::move(*secret));
    } else {
      over = http::detail::connection(std::move(plain));
    }
    scripted_peer peer(std::move(over), fd);
    co_await script_(peer, number);
  }

  script script_;
  net::listener listening_;
  std::optional<net::tls::context> identity_;
  int accepted_ = 0;
};

}  // namespace tare::test
