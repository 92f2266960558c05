// n tasks of tare, asleep.
//
//   peer_tare scope N       in a scope that joins them
//   peer_tare detached N    detached: nobody waits for them
//   peer_tare --version

#include <tare/tare.hpp>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <string_view>

namespace {

tare::task<> sleeper() { co_await tare::sleep_for(std::chrono::hours(1)); }

void say_ready() {
  std::puts("READY");
  std::fflush(stdout);
}

tare::task<> in_a_scope(std::size_t n) {
  co_await tare::with_scope([n](tare::scope& s) -> tare::task<> {
    for (std::size_t i = 0; i < n; ++i) s.spawn(sleeper());
    co_await tare::yield();  // every task runs to its sleep
    say_ready();
  });
}

tare::task<> detached(std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) tare::spawn(sleeper());
  co_await tare::yield();
  say_ready();
  co_await sleeper();
}

std::optional<std::size_t> count(std::string_view text) {
  std::size_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (argc == 2 && what == "--version") {
    std::printf("%.*s\n", static_cast<int>(tare::version.size()), tare::version.data());
    return 0;
  }
  const auto n = argc == 3 ? count(argv[2]) : std::nullopt;
  if (!n || (what != "scope" && what != "detached")) {
    std::fputs("usage: peer_tare scope|detached N\n", stderr);
    return 2;
  }
  tare::runtime rt({.shards = 1});
  rt.run(what == "scope" ? in_a_scope(*n) : detached(*n));
}
