// Makes and destroys tasks all the time, in an order that nobody knows, until it gets SIGTERM. Then it says how many
// signals SIGRTMIN have come: of these none is merged with another.

#include <atomic>
#include <chrono>
#include <coroutine>
#include <csignal>
#include <cstdio>
#include <exception>
#include <random>
#include <thread>
#include <vector>

namespace churning {

struct task {
  struct promise_type {
    task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    static std::suspend_never initial_suspend() noexcept { return {}; }
    static std::suspend_always final_suspend() noexcept { return {}; }
    static void return_void() noexcept {}
    [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> frame;
};

volatile unsigned long sink = 0;

task small(unsigned long number) {
  co_await std::suspend_always{};
  sink = sink + number;
}

task wide(unsigned long number) {
  char local[900] = {static_cast<char>(number)};
  co_await std::suspend_always{};
  sink = sink + static_cast<unsigned char>(local[number % sizeof local]);
}

std::atomic<unsigned long> signals = 0;
std::atomic<bool> stop = false;

}  // namespace churning

int main() {
  std::signal(SIGRTMIN, [](int) { churning::signals.fetch_add(1); });
  std::signal(SIGTERM, [](int) { churning::stop = true; });
  std::thread other([&] {
    std::mt19937 random(3);
    std::vector<std::coroutine_handle<>> alive;
    while (!churning::stop) {
      if (alive.size() > 5000 || (!alive.empty() && random() % 2 == 0)) {
        std::swap(alive[random() % alive.size()], alive.back());
        alive.back().destroy();
        alive.pop_back();
      } else {
        alive.push_back(random() % 3 == 0 ? churning::wide(random()).frame : churning::small(random()).frame);
      }
    }
    for (auto one : alive) one.destroy();
  });
  std::puts("READY");
  std::fflush(stdout);
  while (!churning::stop) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  other.join();
  std::printf("%lu\n", churning::signals.load());
  return 0;
}
