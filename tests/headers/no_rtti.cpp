// The headers in a program that is compiled without run-time type information.

#include <tare/tare.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>

using namespace std::chrono_literals;

namespace {

tare::task<int> slow() {
  co_await tare::sleep_for(1h);
  co_return 1;
}

tare::task<bool> all_as_expected() {
  const auto late = co_await tare::timeout(1s, slow());
  bool caught = false;
  tare::scope s;
  auto waits = [](bool& seen) -> tare::task<> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {
      seen = true;
      throw;
    }
  };
  s.spawn(waits(caught));
  co_await tare::yield();
  s.cancel();
  co_await s.join();
  co_return !late.has_value() && caught;
}

}  // namespace

int main() {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  const bool good = rt.run(all_as_expected());
  std::puts(good ? "ok" : "wrong");
  return good ? 0 : 1;
}
