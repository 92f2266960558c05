// A server of tare::http for each kind of connection, with everything that it does by default: parsing, limits,
// deadlines, Date, pings and heartbeats.

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

namespace http = tare::http;
using namespace std::chrono_literals;

tare::task<> hello(http::request& /*asked*/, http::response& answer) {
  (void)co_await answer.send("text/plain", "Hello, world!");
}

tare::task<> echo(http::websocket socket) {
  while (auto got = co_await socket.receive()) {
    if (!co_await socket.send(got->kind, got->data)) break;
  }
}

tare::task<> ten_events(http::event_stream out) {
  for (int i = 0; i < 10; ++i) {
    if (!co_await out.send("an event of a stream that is weighed")) co_return;
  }
  co_await out.wait();
}

/// What the server does with a request to "/". `news` must outlive it.
http::router routes_of(std::string_view kind, http::topic& news) {
  http::router routes;
  if (kind.starts_with("websocket")) {
    routes.websocket("/", echo);
  } else if (kind == "sse") {
    routes.events("/", ten_events);
  } else if (kind == "long-poll") {
    routes.get("/", [&news](http::request& asked, http::response& answer) -> tare::task<> {
      const auto next = co_await news.wait_for(asked, "", 1h);
      (void)co_await answer.send("text/plain", next ? next.data() : "nothing yet");
    });
    routes.get("/release", [&news](http::request& /*asked*/, http::response& answer) -> tare::task<> {
      const auto published = news.publish("Hello, world!");
      answer.status(published ? 200 : 500);
      (void)co_await answer.send("text/plain", "");
    });
  } else {
    routes.get("/", hello);
  }
  return routes;
}

int complain(const char* what, const std::string& why) {
  std::fprintf(stderr, "tare-http: %s: %s\n", what, why.c_str());
  return 1;
}

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here changes the environment
  return value == nullptr ? "" : value;
}

tare::task<int> serve(std::uint16_t port, std::string_view kind) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(port));
  if (!listening) co_return complain("cannot listen", listening.error().message());
  const auto at = listening->local();
  std::printf("listening on %u\nREADY\n", at ? unsigned{at->port()} : 0U);
  std::fflush(stdout);
  http::topic news;
  http::server server(routes_of(kind, news));
  if (kind == "https" || kind == "websocket-tls") {
    auto secret = tare::net::tls::context::server(
        {.certificate = from_environment("TLS_CERTIFICATE"), .key = from_environment("TLS_KEY")});
    if (!secret) co_return complain("cannot read TLS_CERTIFICATE and TLS_KEY", secret.error().message());
    const auto ended = co_await server.serve(std::move(*listening), std::move(*secret));
    co_return ended ? 0 : 1;
  }
  const auto ended = co_await server.serve(std::move(*listening));
  co_return ended ? 0 : 1;
}

bool is_known(std::string_view kind) {
  for (const std::string_view known : {"http", "https", "websocket", "websocket-tls", "sse", "long-poll"}) {
    if (kind == known) return true;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::printf("%.*s\n", static_cast<int>(tare::version.size()), tare::version.data());
    return 0;
  }
  std::uint16_t port = 0;
  const std::string_view text = argc >= 2 ? argv[1] : "";
  const std::string_view io = argc >= 3 ? argv[2] : "epoll";
  const std::string_view kind = argc >= 4 ? argv[3] : "http";
  const bool known = (io == "epoll" || io == "io_uring") && is_known(kind);
  if (argc > 4 || !known || std::from_chars(text.data(), text.data() + text.size(), port).ec != std::errc()) {
    std::fprintf(stderr, "usage: %s PORT [epoll | io_uring [KIND]]\n", argv[0]);
    return 2;
  }
  tare::runtime rt({.io = io == "io_uring" ? tare::io_kind::io_uring : tare::io_kind::epoll});
  return rt.run(serve(port, kind));
}
