#include "http/sent_pieces.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <utility>

namespace tare::test {

using namespace std::chrono_literals;

std::string output_of(const websocket_handler& handle, const std::function<task<>(wire&, http::server&)>& behave,
                      http::websocket_options options) {
  std::string output;
  runtime rt({.clock = clock_kind::virtual_time});
  auto all = [&]() -> task<> {
    wire client;
    http::router routes;
    routes.websocket("/", [&](http::websocket socket) -> task<> { co_await handle(socket); }, std::move(options));
    http::server serving(routes);
    client.input = handshake_for("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    auto serve = [&]() -> task<> { co_await serving.serve_stream(memory_stream(client)); };
    auto follow = [&]() -> task<> {
      if (behave) co_await behave(client, serving);
      co_await sleep_for(10s);
      client.input_ends = true;
      client.take();
    };
    co_await when_all(serve(), follow());
    EXPECT_TRUE(client.closed);
    EXPECT_EQ(serving.lasting_connections(), 0U);
    output = client.output.substr(client.output.find("\r\n\r\n") + 4);
  };
  rt.run(all());
  return output;
}

}  // namespace tare::test
