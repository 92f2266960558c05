// What the kernel holds of a response that its client does not read.

#include "http/loopback.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::server;
using tare::http::server_options;
using tare::test::raw_client;

constexpr std::size_t body_bytes = 8U << 20U;

const std::string& body() {
  static const std::string made = [] {
    std::string text;
    while (text.size() < body_bytes) text += std::to_string(text.size()) + '\n';
    text.resize(body_bytes);
    return text;
  }();
  return made;
}

task<> send_body(tare::http::request& /*request*/, tare::http::response& to) {
  (void)co_await to.send("text/plain", body());
}

/// The bytes that the kernel holds for the connection from the server's port to the client's: unsent, or not
/// acknowledged.
std::size_t held_by_kernel(std::uint16_t server_port, std::uint16_t client_port) {
  std::ifstream table("/proc/net/tcp");
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::string number;
    std::string local;
    std::string remote;
    std::string state;
    std::string queues;
    words >> number >> local >> remote >> state >> queues;
    auto port = [](const std::string& address) {
      return std::stoul(address.substr(address.find(':') + 1), nullptr, 16);
    };
    if (port(local) == server_port && port(remote) == client_port) return std::stoul(queues, nullptr, 16);
  }
  return 0;
}

/// When it has not changed for a tenth of a second.
task<std::size_t> held_at_rest(std::uint16_t server_port, std::uint16_t client_port) {
  std::size_t held = 0;
  int same = 0;
  for (int i = 0; i < 500 && same < 10; ++i) {
    co_await tare::sleep_for(10ms);
    const std::size_t now = held_by_kernel(server_port, client_port);
    same = now == held && now != 0 ? same + 1 : 0;
    held = now;
  }
  co_return held;
}

class http_kernel_buffers : public tare::test::http_test {
 protected:
  /// A client asks for 8 MiB and waits before it reads them; returns what the kernel holds meanwhile.
  std::size_t held_with(server_options options) {
    std::size_t held = 0;
    with_server(send_body, std::move(options), [&](server& /*serving*/, std::uint16_t port) -> task<> {
      auto client = co_await raw_client::connect(port);
      co_await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      const std::uint16_t client_port = client.stream().local()->port();
      held = co_await held_at_rest(port, client_port);
      const auto got = co_await client.read_response();
      EXPECT_EQ(got.status, 200U);
      EXPECT_EQ(got.body.size(), body().size());
      EXPECT_TRUE(got.body == body());
    });
    return held;
  }
};

TEST_P(http_kernel_buffers, are_limited_by_default) {
  EXPECT_LE(held_with({}), (128U << 10U) + (128U << 10U));
  server_options unlimited;
  unlimited.max_unsent_bytes = 0;
  EXPECT_GT(held_with(unlimited), 1U << 20U) << "the limit is superfluous";
}

TEST_P(http_kernel_buffers, are_as_small_as_the_options_say) {
  server_options options;
  options.max_unsent_bytes = 16U << 10U;
  EXPECT_LE(held_with(options), 96U << 10U);
  options = {};
  options.send_buffer_bytes = 16U << 10U;
  EXPECT_LE(held_with(options), 64U << 10U);
}

// Larger than what the system call takes.
TEST_P(http_kernel_buffers, may_be_as_large_as_the_kernel_permits) {
  server_options options;
  options.max_unsent_bytes = std::numeric_limits<std::uint32_t>::max();
  options.send_buffer_bytes = std::numeric_limits<std::uint32_t>::max();
  EXPECT_GT(held_with(options), 0U);
}

TEST_P(http_kernel_buffers, of_a_unix_socket_have_a_size_only) {
  const support::temporary_folder folder;
  const auto at = tare::net::endpoint::parse("unix:" + (folder.path() / "socket").string());
  ASSERT_TRUE(at.has_value());
  server_options options;
  options.send_buffer_bytes = 16U << 10U;
  run([&]() -> task<> {
    auto listening = tare::net::listener::bind(*at);
    EXPECT_TRUE(listening.has_value());
    if (!listening) co_return;
    server serving(send_body, options);
    auto use = [&]() -> task<> {
      auto connected = co_await tare::net::connect(*at);
      EXPECT_TRUE(connected.has_value());
      if (connected) {
        tare::test::client_over client(std::move(*connected));
        const auto got = co_await client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        EXPECT_EQ(got.body.size(), body().size());
        EXPECT_TRUE(got.body == body());
      }
      serving.stop();
    };
    auto serve = [&]() -> task<> {
      const auto ended = co_await serving.serve(std::move(*listening));
      EXPECT_TRUE(ended.has_value());
    };
    co_await tare::when_all(serve(), use());
  }());
}

TARE_ON_ALL_REACTORS(http_kernel_buffers);

}  // namespace
