// One handler with everything that a server of tare::http does: parsing, limits, deadlines, Date.

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <charconv>
#include <cstdint>
#include <cstdio>
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
    std::printf("%.*s\n", static_cast<int>(tare::version.size()), tare::version.data());
    return 0;
  }
  std::uint16_t port = 0;
  const std::string_view text = argc >= 2 ? argv[1] : "";
  const std::string_view io = argc >= 3 ? argv[2] : "epoll";
  const bool known = io == "epoll" || io == "io_uring";
  if (argc > 3 || !known || std::from_chars(text.data(), text.data() + text.size(), port).ec != std::errc()) {
    std::fprintf(stderr, "usage: %s PORT [epoll | io_uring]\n", argv[0]);
    return 2;
  }
  tare::runtime rt({.io = io == "io_uring" ? tare::io_kind::io_uring : tare::io_kind::epoll});
  return rt.run(serve(port));
}
