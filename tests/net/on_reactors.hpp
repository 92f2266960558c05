#pragma once

// Socket tests run on every kind of reactor, each within its own time limit.

#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace tare::testing {

using namespace std::chrono_literals;

class on_reactors : public ::testing::TestWithParam<io_kind> {
 protected:
  [[nodiscard]] static runtime_options options(unsigned shards = 1) { return {.shards = shards, .io = GetParam()}; }

  /// Runs the body, and fails if it takes longer than loopback ever should.
  static void run(task<> body, runtime_options chosen = options()) {
    runtime rt(std::move(chosen));
    auto limited = [](task<> inner) -> task<> {
      const auto ended = co_await timeout(20s, std::move(inner));
      EXPECT_TRUE(ended.has_value()) << "timed out";
    };
    rt.run(limited(std::move(body)));
  }
};

inline std::string name_of(const ::testing::TestParamInfo<io_kind>& info) {
  return info.param == io_kind::epoll ? "epoll" : "io_uring";
}

// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): GoogleTest's own is one
#define TARE_ON_ALL_REACTORS(suite)                                                                          \
  INSTANTIATE_TEST_SUITE_P(reactor, suite, ::testing::Values(tare::io_kind::epoll, tare::io_kind::io_uring), \
                           tare::testing::name_of)

[[nodiscard]] inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}
[[nodiscard]] inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A listener on a free port and a connection to it, with which most tests begin.
struct connection {
  net::stream client;
  net::stream server;
};
inline task<connection> connect_loopback() {
  auto listening = net::listener::bind(net::endpoint::loopback(0));
  if (!listening) throw std::system_error(listening.error(), "bind");
  auto client = co_await net::connect(listening->local().value());
  if (!client) throw std::system_error(client.error(), "connect");
  auto server = co_await listening->accept();
  if (!server) throw std::system_error(server.error(), "accept");
  co_return connection{.client = std::move(*client), .server = std::move(*server)};
}

/// Reads to the end of the stream.
inline task<std::string> read_all(net::stream& from) {
  std::string all;
  for (;;) {
    auto got = co_await from.read();
    if (!got) throw std::system_error(got.error(), "read");
    if (got->empty()) co_return all;
    all += text_of(got->bytes());
  }
}

}  // namespace tare::testing
