// A task leak that can be found from outside: each request starts a guard that would cancel it after an hour, but the
// guard is not ended when the request is done.
//
//   example_leak 60 &
//   tare snapshot $! -o before.json; sleep 10; tare snapshot $! -o after.json
//   tare compare before.json after.json

#include <tare/tare.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace std::chrono_literals;

namespace {

tare::task<> work() { co_await tare::sleep_for(5ms); }

/// Should end with its request, but does not.
tare::task<> guard(int request) {
  co_await tare::sleep_for(1h);
  std::printf("request %d took too long\n", request);
}

tare::task<> answer(tare::scope& guards, int request) {
  guards.spawn(guard(request));
  co_await work();
}

tare::task<> serve(std::chrono::milliseconds time) {
  tare::scope guards;
  tare::scope requests;
  const auto end = std::chrono::steady_clock::now() + time;
  int answered = 0;
  for (; std::chrono::steady_clock::now() < end; ++answered) {
    requests.spawn(answer(guards, answered));
    co_await tare::sleep_for(1ms);
  }
  co_await requests.join();
  std::printf("%d requests answered, %zu guards left behind\n", answered, guards.size());
  guards.cancel();
  co_await guards.join();
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::strtod(argv[1], nullptr) : 0.1;
  tare::run(serve(std::chrono::milliseconds(static_cast<long>(seconds * 1000))));
}
