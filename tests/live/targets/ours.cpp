// Tasks of this library in every kind of wait, on two shards, after as many others have come and gone.

#include "announced.hpp"

#include <tare/tare.hpp>

#include <chrono>
#include <cstdlib>
#include <vector>

namespace ours {

using namespace std::chrono_literals;

tare::task<> sleeper() { co_await tare::sleep_for(24h); }

tare::task<int> leaf(int number) {
  co_await tare::sleep_for(24h);
  co_return number + 1;
}

tare::task<int> middle(int number) {
  const int more = co_await leaf(number);
  co_return more + 1;
}

tare::task<> root(int number) {
  const int more = co_await middle(number);
  if (more < number) co_await tare::yield();
}

tare::task<> locked(tare::semaphore& permits) {
  const auto permit = co_await permits.acquire();
  co_await tare::sleep_for(24h);
}

tare::task<> first_of_two() { co_await tare::when_any(sleeper(), sleeper()); }

tare::task<> unstarted() { co_return; }

tare::task<> short_lived(int depth) {
  if (depth == 0) {
    co_await tare::sleep_for(1ms);
  } else {
    co_await short_lived(depth - 1);
  }
}

tare::task<> everything(unsigned long count, std::vector<tare::task<>>& kept) {
  tare::semaphore permits(0);
  {
    tare::scope before;
    for (unsigned long i = 0; i < count; ++i) before.spawn(short_lived(static_cast<int>(i % 4)));
    co_await before.join();
  }
  tare::scope all;
  for (unsigned long i = 0; i < count; ++i) {
    all.spawn(sleeper());
    all.spawn(root(static_cast<int>(i)));
    if (i % 2 == 0) all.spawn_on(1, sleeper());
    if (i % 5 == 0) all.spawn(locked(permits));
    if (i % 10 == 0) all.spawn(first_of_two());
    if (i % 10 == 0) kept.push_back(unstarted());
  }
  co_await tare::sleep_for(100ms);  // The other shard has begun by then.
  const auto every = [&](unsigned long step) { return (count + step - 1) / step; };
  // Not here: this task would count as running.
  co_await tare::offload([&] {
    announce_and_wait({{"sleeper", count + every(2) + 2 * every(10)},
                       {"leaf", count},
                       {"middle", count},
                       {"root", count},
                       {"locked", every(5)},
                       {"first_of_two", every(10)},
                       {"unstarted", every(10)},
                       {"everything", 1}});
  });
}

}  // namespace ours

int main(int argc, char** argv) {
  const unsigned long count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 20'000;
  std::vector<tare::task<>> kept;
  tare::runtime rt({.shards = 2});
  rt.run(ours::everything(count, kept));
}
