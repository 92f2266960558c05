#pragma once

// A server and raw clients in one runtime, over loopback.

#include "net/on_reactors.hpp"

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::test {

/// A client that sends given bytes and returns what it receives, unchanged.
template <class Stream>
class client_over {
 public:
  explicit client_over(Stream stream) noexcept : stream_(std::move(stream)) {}

  task<> send(std::string_view text) {
    const auto sent = co_await stream_.write(std::as_bytes(std::span(text)));
    if (!sent) throw std::runtime_error("the server accepts nothing");
  }

  /// False if the server has closed or reset the connection.
  task<bool> read_more() {
    auto got = co_await stream_.read();
    if (!got && got.error() == std::errc::timed_out) throw std::runtime_error("the server is silent");
    if (!got || got->empty()) co_return false;
    unread_.append(reinterpret_cast<const char*>(got->bytes().data()), got->size());
    co_return true;
  }

  /// Everything until the server closes the connection.
  task<std::string> read_all() {
    bool more = true;
    while (more) more = co_await read_more();
    co_return std::exchange(unread_, {});
  }

  /// Up to and including `end`; without it if the server closes the connection earlier.
  task<std::string> read_through(std::string_view end) {
    for (;;) {
      const std::size_t at = unread_.find(end);
      if (at != std::string::npos) {
        std::string text = unread_.substr(0, at + end.size());
        unread_.erase(0, text.size());
        co_return text;
      }
      if (!co_await read_more()) co_return std::exchange(unread_, {});
    }
  }

  task<std::string> read_bytes(std::size_t count) {
    while (unread_.size() < count) {
      if (!co_await read_more()) co_return std::exchange(unread_, {});
    }
    std::string text = unread_.substr(0, count);
    unread_.erase(0, count);
    co_return text;
  }

  struct response {
    unsigned status = 0;  ///< 0: the server has closed the connection instead
    std::string head;
    std::string body;
  };

  /// A response with a Content-Length, or without a body.
  task<response> read_response(bool to_head = false) {
    response got;
    got.head = co_await read_through("\r\n\r\n");
    if (got.head.size() < 13) co_return got;
    got.status = static_cast<unsigned>(std::stoul(got.head.substr(9, 3)));
    const std::size_t at = got.head.find("content-length: ");
    if (at != std::string::npos && !to_head) {
      got.body = co_await read_bytes(std::stoul(got.head.substr(at + 16)));
    }
    co_return got;
  }

  task<response> ask(std::string_view request) {
    co_await send(request);
    co_return co_await read_response();
  }

  /// What has arrived, at least one byte; nothing at the end of the connection.
  task<std::string> read_some() {
    if (unread_.empty()) (void)co_await read_more();
    co_return take_unread();
  }

  /// What has been read but not returned.
  std::string take_unread() { return std::exchange(unread_, {}); }

  Stream& stream() noexcept { return stream_; }

 private:
  Stream stream_;
  std::string unread_;
};

class raw_client : public client_over<net::stream> {
 public:
  static task<raw_client> connect(std::uint16_t port) {
    auto connected = co_await net::connect(net::endpoint::loopback(port));
    if (!connected) throw std::runtime_error("connect: " + connected.error().message());
    connected->expires_after(std::chrono::seconds(20));
    co_return raw_client(std::move(*connected));
  }
  using client_over::client_over;
};

/// The tests run on every kind of reactor.
class http_test : public testing::on_reactors {
 protected:
  /// Serves with `answer` on a free port while `body` runs; `body` gets the server and its port. Uses TLS if there is
  /// an identity.
  static void with_server(http::handler handle, http::server_options options,
                          const std::function<task<>(http::server&, std::uint16_t)>& body,
                          const std::optional<net::tls::context>& identity = std::nullopt) {
    auto all = [&]() -> task<> {
      auto listening = net::listener::bind(net::endpoint::loopback(0));
      if (!listening) throw std::runtime_error("bind: " + listening.error().message());
      const std::uint16_t port = listening->local()->port();
      http::server server(std::move(handle), std::move(options));
      auto serve = [&]() -> task<> {
        net::result<void> ended;
        if (identity) {
          ended = co_await server.serve(std::move(*listening), *identity);
        } else {
          ended = co_await server.serve(std::move(*listening));
        }
        EXPECT_TRUE(ended) << ended.error().message();
      };
      auto use = [&]() -> task<> {
        std::exception_ptr error;
        try {
          co_await body(server, port);
        } catch (...) {
          error = std::current_exception();
        }
        server.stop();
        if (error) std::rethrow_exception(error);
      };
      co_await when_all(serve(), use());
      EXPECT_EQ(server.active_requests(), 0U);
      EXPECT_EQ(server.connections(), 0U);
    };
    run(all());
  }
};

/// Options of a server that records the messages of the exceptions of its handlers.
inline http::server_options recording_errors(std::vector<std::string>& errors) {
  http::server_options options;
  options.on_error = [&errors](std::exception_ptr error) {
    try {
      std::rethrow_exception(std::move(error));
    } catch (const std::exception& thrown) {
      errors.emplace_back(thrown.what());
    }
  };
  return options;
}

/// Responds with 200 and the body of the request.
inline task<> echo(http::request& request, http::response& response) {
  auto body = co_await request.body().read_all();
  if (!body) co_return;
  (void)co_await response.send("text/plain", *body);
}

}  // namespace tare::test
