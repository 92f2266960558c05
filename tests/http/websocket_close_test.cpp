// How long a server waits for the peer when the handler of a WebSocket has returned.

#include "http/memory_stream.hpp"
#include "http/websocket_frames.hpp"

#include <tare/http.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace {

using namespace std::chrono_literals;
using tare::task;

/// A client that never closes. Returns how long the connection lasts after the handler.
std::chrono::nanoseconds time_to_close(std::chrono::nanoseconds close_timeout, std::string& output) {
  std::chrono::nanoseconds lasted{0};
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  auto all = [&]() -> task<> {
    tare::test::wire client;
    std::chrono::steady_clock::time_point returned;
    tare::http::router routes;
    routes.websocket("/",
                     [&](tare::http::websocket socket) -> task<> {
                       (void)co_await tare::timeout(10ms, socket.receive());
                       returned = tare::now();
                     },
                     {.close_timeout = close_timeout});
    tare::http::server serving(routes);
    client.input = tare::test::handshake_for("/");
    co_await serving.serve_stream(tare::test::memory_stream(client));
    EXPECT_TRUE(client.closed);
    lasted = tare::now() - returned;
    output = client.output.substr(client.output.find("\r\n\r\n") + 4);
  };
  rt.run(all());
  return lasted;
}

TEST(websocket_close, waits_for_the_peer_as_long_as_the_option_says) {
  for (const std::chrono::nanoseconds limit : {20ms, 700ms, 5000ms}) {
    std::string output;
    const auto silent = time_to_close(limit, output);
    EXPECT_GE(silent, limit);
    EXPECT_LE(silent, limit + 1ms);
    EXPECT_TRUE(output.ends_with(tare::test::server_close(1000)));
  }
}

}  // namespace
