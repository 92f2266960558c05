// A process to inspect while it works: a given number of tasks sleep, and one passes through the run queue without a
// pause. In each tenth of a second it prints how often: a line "ROUNDS number".

#include <tare/tare.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace std::chrono_literals;

namespace {

tare::task<> asleep() { co_await tare::sleep_for(24h); }

tare::task<> work(unsigned long sleepers, std::chrono::seconds time) {
  tare::scope all;
  for (unsigned long i = 0; i < sleepers; ++i) all.spawn(asleep());
  co_await tare::yield();
  std::puts("READY");
  std::fflush(stdout);
  auto now = std::chrono::steady_clock::now();
  const auto end = now + time;
  while (now < end) {
    const auto next = now + 100ms;
    unsigned long rounds = 0;
    for (; now < next; now = std::chrono::steady_clock::now()) {
      constexpr int between_looks = 1000;
      for (int i = 0; i < between_looks; ++i) co_await tare::yield();
      rounds += between_looks;
    }
    std::printf("ROUNDS %lu\n", rounds);
    std::fflush(stdout);
  }
  all.cancel();
  co_await all.join();
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned long sleepers = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100'000;
  const long seconds = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 60;
  tare::run(work(sleepers, std::chrono::seconds(seconds)));
}
