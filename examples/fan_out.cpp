// A thousand requests, at most twenty at a time; the first error cancels the others and is thrown where the scope is
// awaited.

#include <tare/tare.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>

using namespace std::chrono_literals;

namespace {

struct counts {
  int answered = 0;
  int at_a_time = 0;
  int max_at_once = 0;
};

tare::task<> request(int id, int failing, tare::semaphore& slots, counts& seen) {
  const auto slot = co_await slots.acquire();
  if (++seen.at_a_time > seen.max_at_once) seen.max_at_once = seen.at_a_time;
  co_await tare::sleep_for(1ms);
  --seen.at_a_time;
  if (id == failing) throw std::runtime_error("request 500 failed");
  ++seen.answered;
}

tare::task<> all(int failing) {
  tare::semaphore slots(20);
  counts seen;
  try {
    co_await tare::with_scope([&](tare::scope& s) -> tare::task<> {
      for (int id = 0; id < 1000; ++id) s.spawn(request(id, failing, slots, seen));
      co_return;
    });
  } catch (const std::runtime_error& error) {
    std::printf("%s; ", error.what());
  }
  std::printf("%d answered, %d at a time\n", seen.answered, seen.max_at_once);
}

}  // namespace

int main() {
  tare::run(all(-1));
  tare::run(all(500));
}
