// One handler behind everything that a server of tare::http does: parsing, limits, deadlines, Date.

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

tare::task<> hello(tare::http::request& /*asked*/, tare::http::response& answer) {
  (void)co_await answer.send("text/plain", "Hello, world!");
}

tare::task<int> serve(std::uint16_t port) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(port));
  if (!listening) {
    std::fprintf(stderr, "tare-http: cannot listen on port %u: %s\n", unsigned{port},
                 listening.error().message().c_str());
    co_return 1;
  }
  const auto at = listening->local();
  std::printf("listening on %u\nREADY\n", at ? unsigned{at->port()} : 0U);
  std::fflush(stdout);
  tare::http::server server(hello);
  const auto ended = co_await server.serve(std::move(*listening));
  co_return ended ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::puts(tare::version.data());
    return 0;
  }
  std::uint16_t port = 0;
  const char* text = argc == 2 ? argv[1] : "";
  if (std::from_chars(text, text + std::strlen(text), port).ec != std::errc()) {
    std::fprintf(stderr, "usage: %s PORT\n", argv[0]);
    return 2;
  }
  return tare::run(serve(port));
}
