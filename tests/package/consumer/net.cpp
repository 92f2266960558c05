// The same for sockets: the libraries that tare::net needs come from the package too.

#include <tare/net.hpp>

#include <tare/tare.hpp>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <span>

namespace {

tare::task<bool> check() {
  auto ends = tare::net::stream::pair();
  if (!ends) co_return false;
  const char text[] = "through a socket";
  if (!co_await ends->first.write(std::as_bytes(std::span(text)))) co_return false;
  auto got = co_await ends->second.read();
  co_return got && got->size() == sizeof(text);
}

}  // namespace

int main() {
  try {
    if (tare::run(check())) {
      std::puts("tare::net works from outside");
      return 0;
    }
    std::puts("wrong result");
  } catch (const std::exception& error) {
    std::puts(error.what());
  }
  return 1;
}
