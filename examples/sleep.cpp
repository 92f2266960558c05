// A task, its result, and the runtime that runs it.

#include <tare/tare.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

tare::task<int> slow_square(int n) {
  co_await tare::sleep_for(10ms);  // parked: one frame of 40 bytes
  co_return n* n;
}

int main() { std::printf("%d\n", tare::run(slow_square(7))); }
