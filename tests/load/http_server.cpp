// A server for the tests of the command: test_http_server PORT [STATUS [BEHAVIOUR]]

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace {

namespace http = tare::http;
using namespace std::chrono_literals;

template <class Number>
Number number(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

tare::task<> echo(http::websocket socket) {
  while (auto got = co_await socket.receive()) {
    if (!co_await socket.send(got->kind, got->data)) break;
  }
}

/// So many events, and then the stream goes on without any, or ends.
auto events(int count, bool ends) {
  return [count, ends](http::event_stream out) -> tare::task<> {
    for (int i = 0; i < count; ++i) {
      if (!co_await out.send("an event")) co_return;
    }
    if (!ends) co_await out.wait();
  };
}

/// What the server does with a request, whatever its path.
http::handler handler_of(std::string_view behaviour, unsigned status, http::topic& news) {
  return [status, behaviour, &news](http::request& request, http::response& response) -> tare::task<> {
    if (request.path() == "/release") (void)news.publish("now");
    if (behaviour == "long-poll" && request.path() == "/") (void)co_await news.wait_for(request, "", 1h);
    response.status(status);
    (void)co_await response.send("text/plain", "hello");
  };
}

/// Nothing if the server handles requests.
std::optional<http::router> routes_of(std::string_view behaviour) {
  http::router routes;
  if (behaviour == "websocket") return routes.websocket("/", echo);
  if (behaviour == "sse") return routes.events("/", events(10, false));
  if (behaviour == "sse-of-three") return routes.events("/", events(3, true));
  return std::nullopt;
}

/// Responds to whatever arrives with a text that it repeats for each connection, and closes after a while.
tare::task<> say(tare::net::stream to, std::string_view text, std::chrono::milliseconds then) {
  if (auto request = co_await to.read(); request && !request->empty()) {
    (void)co_await to.write(std::as_bytes(std::span(text)));
    co_await tare::sleep_for(then);
  }
}

tare::task<> say_to_all(tare::net::listener& listening, std::string_view text, std::chrono::milliseconds then) {
  co_await tare::with_scope([&](tare::scope& all) -> tare::task<> {
    while (auto client = co_await listening.accept()) all.spawn(say(std::move(*client), text, then));
  });
}

tare::task<int> serve(std::uint16_t port, unsigned status, std::string_view behaviour) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(port));
  if (!listening) {
    std::fprintf(stderr, "cannot listen on port %u: %s\n", unsigned{port}, listening.error().message().c_str());
    co_return 1;
  }
  if (behaviour == "closes-when-idle") {
    co_await say_to_all(*listening, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200ms);
  } else if (behaviour == "wrong-handshake") {
    co_await say_to_all(*listening,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
                        1h);
  }
  http::topic news;
  auto routes = routes_of(behaviour);
  http::server server(routes ? http::handler(std::move(*routes)) : handler_of(behaviour, status, news));
  co_return co_await server.serve(std::move(*listening)) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  return tare::run(
      serve(number<std::uint16_t>(argv[1]), argc > 2 ? number<unsigned>(argv[2]) : 200, argc > 3 ? argv[3] : "http"));
}
