// A server for the tests of the command: test_http_server PORT [STATUS]

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <utility>

namespace {

tare::task<int> serve(std::uint16_t port, unsigned status) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(port));
  if (!listening) {
    std::fprintf(stderr, "cannot listen on port %u: %s\n", unsigned{port}, listening.error().message().c_str());
    co_return 1;
  }
  auto answer = [status](tare::http::request& /*asked*/, tare::http::response& response) -> tare::task<> {
    response.status(status);
    (void)co_await response.send("text/plain", "hello");
  };
  tare::http::server server(answer);
  co_return co_await server.serve(std::move(*listening)) ? 0 : 1;
}

template <class Number>
Number number(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  return tare::run(serve(number<std::uint16_t>(argv[1]), argc > 2 ? number<unsigned>(argv[2]) : 200));
}
