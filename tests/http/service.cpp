// The server for the clients of real_clients_test.py. It prints its port, serves until SIGTERM, and drains.

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

namespace http = tare::http;
using tare::task;

task<> hello(http::request& /*request*/, http::response& response) {
  (void)co_await response.send("text/plain", "hello\n");
}

task<> echo(http::request& request, http::response& response) {
  auto body = co_await request.body().read_all();
  if (body) (void)co_await response.send("application/octet-stream", *body);
}

task<> stream(http::request& /*request*/, http::response& response) {
  for (int n = 0; n < 1000; ++n) {
    if (!co_await response.write(std::to_string(n) + "\n")) co_return;
  }
}

task<> item(http::request& request, http::response& response) {
  (void)co_await response.send("text/plain", request.param("id"));
}

task<> chat(http::request& request, http::response& response) {
  http::websocket_options options;
  options.compress = true;
  auto socket = co_await http::websocket::accept(request, response, std::move(options));
  if (!socket) co_return;
  while (auto got = co_await socket->receive()) {
    if (!co_await socket->send(got->kind, got->data)) break;
  }
}

/// For tests/autobahn.
task<> echo_messages(http::websocket socket) {
  while (auto got = co_await socket.receive()) {
    if (!co_await socket.send(got->kind, got->data)) break;
  }
}

/// The same, each piece as it arrives.
task<> echo_pieces(http::websocket socket) {
  std::optional<http::message_writer> out;
  while (auto got = co_await socket.receive_piece()) {
    if (!out) {
      auto begun = co_await socket.begin(got->kind);
      if (!begun) break;
      out.emplace(std::move(*begun));
    }
    if (got->is_last) {
      if (!co_await out->finish(got->data)) break;
      out.reset();
    } else if (!co_await out->write(got->data)) {
      break;
    }
  }
}

task<> serve() {
  http::router routes;
  routes.get("/hello", hello).post("/echo", echo).get("/stream", stream).get("/items/{id}", item).get("/chat", chat);
  http::websocket_options large;
  large.max_message_bytes = 16U << 20U;
  routes.websocket("/autobahn", echo_messages, large);
  routes.websocket("/pieces", echo_pieces, large);
  large.compress = true;
  routes.websocket("/autobahn/compressed", echo_messages, large);
  routes.websocket("/pieces/compressed", echo_pieces, large);
  auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0));
  if (!listening) throw std::system_error(listening.error(), "bind");
  std::printf("%u\n", unsigned{listening->local()->port()});
  std::fflush(stdout);

  http::server server(routes);
  auto signals = tare::net::signal_set::of({SIGTERM});
  if (!signals) throw std::system_error(signals.error(), "SIGTERM");
  auto stop = [&]() -> task<> {
    (void)co_await signals->next();
    server.stop();
  };
  auto run = [&]() -> task<> {
    if (const auto ended = co_await server.serve(std::move(*listening)); !ended) {
      throw std::system_error(ended.error(), "accept");
    }
  };
  co_await tare::when_all(run(), stop());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view io = argc > 1 ? argv[1] : "";
  tare::runtime rt({.io = io == "io_uring" ? tare::io_kind::io_uring : tare::io_kind::epoll});
  rt.run(serve());
}
