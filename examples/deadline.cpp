// One time limit over several steps, and cleanup that must await even though the time is up.

#include <tare/tare.hpp>

#include <chrono>
#include <cstdio>
#include <exception>

using namespace std::chrono_literals;

namespace {

tare::task<> close_session() {
  co_await tare::sleep_for(2ms);
  std::puts("  closed the session");
}

tare::task<int> session(std::chrono::milliseconds server) {
  std::exception_ptr left;
  int result = 0;
  try {
    co_await tare::sleep_for(server);  // connect
    co_await tare::sleep_for(server);  // ask
    result = 42;
  } catch (const tare::cancelled&) {
    left = std::current_exception();
  }
  co_await tare::shield(close_session());  // runs to completion in any case
  if (left) std::rethrow_exception(left);
  co_return result;
}

tare::task<> attempts() {
  for (const auto server : {100ms, 3ms}) {
    const auto response = co_await tare::timeout(20ms, session(server));
    if (response) {
      std::printf("answer: %d\n", *response);
    } else {
      std::puts("too late");
    }
  }
}

}  // namespace

int main() { tare::run(attempts()); }
