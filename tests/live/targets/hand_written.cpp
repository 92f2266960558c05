// Tasks as people write them by hand, in memory from malloc: on two threads' arenas, after a million others were freed
// in several orders, between buffers that cover what they left behind.

#include "announced.hpp"

#include <algorithm>
#include <coroutine>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace hand {

class task {
 public:
  struct promise_type {
    std::coroutine_handle<> continuation = std::noop_coroutine();
    task get_return_object() { return task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    static auto final_suspend() noexcept {
      struct resume_continuation {
        static bool await_ready() noexcept { return false; }
        static std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
          return self.promise().continuation;
        }
        static void await_resume() noexcept {}
      };
      return resume_continuation{};
    }
    static void return_void() noexcept {}
    [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
  };

  explicit task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  task& operator=(task&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  task(const task&) = delete;
  task& operator=(const task&) = delete;
  ~task() {
    if (frame_) frame_.destroy();
  }

  void start() { frame_.resume(); }

  auto operator co_await() && {
    struct awaiter {
      std::coroutine_handle<promise_type> child;
      static bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) noexcept {
        child.promise().continuation = waiting;
        return child;
      }
      static void await_resume() noexcept {}
    };
    return awaiter{frame_};
  }

 private:
  std::coroutine_handle<promise_type> frame_;
};

struct park {
  static bool await_ready() noexcept { return false; }
  static void await_suspend(std::coroutine_handle<>) noexcept {}
  static void await_resume() noexcept {}
};

volatile unsigned long sink = 0;

task leaf(unsigned long number) {
  char local[72];
  std::memset(local, static_cast<int>(number), sizeof local);
  co_await park{};
  sink = sink + static_cast<unsigned char>(local[number % sizeof local]);
}

task middle(unsigned long number) {
  co_await leaf(number);
  sink = sink + number;
}

task root(unsigned long number) {
  co_await middle(number);
  sink = sink + 1;
}

task unstarted(unsigned long number) {
  sink = sink + number;
  co_return;
}

task finished(unsigned long number) {
  sink = sink + number;
  co_return;
}

task big(unsigned long number) {
  char local[3000];
  std::memset(local, static_cast<int>(number), sizeof local);
  co_await park{};
  sink = sink + static_cast<unsigned char>(local[number % sizeof local]);
}

task large(unsigned long number) {
  char local[200'000];
  std::memset(local, static_cast<int>(number), sizeof local);
  co_await park{};
  sink = sink + static_cast<unsigned char>(local[number % sizeof local]);
}

void start(std::vector<task>& into, task one) {
  one.start();
  into.push_back(std::move(one));
}

std::vector<std::unique_ptr<char[]>> buffers;
std::mutex buffers_lock;

/// Fills memory with frames and frees them all, in an order that leaves merged and cached chunks behind.
void leave_traces(unsigned long frames) {
  for (int order = 0; order < 4; ++order) {
    std::vector<task> gone;
    for (unsigned long i = 0; i < frames / 4 / 4; ++i) {
      start(gone, root(i));
      start(gone, big(i));
    }
    if (order == 1) std::ranges::reverse(gone);
    if (order == 2) std::ranges::shuffle(gone, std::mt19937(7));
    if (order == 3) {
      for (std::size_t i = 0; i < gone.size(); i += 2) gone[i] = unstarted(i);
    }
    for (auto& one : gone) task(std::move(one)), void();
  }
  // Uninitialized buffers where frames were.
  const std::scoped_lock guard(buffers_lock);
  for (int i = 0; i < 40; ++i) buffers.emplace_back(new char[40'000]);
}

void fill(std::vector<task>& kept, unsigned long chains) {
  leave_traces(500'000);
  for (unsigned long i = 0; i < chains; ++i) {
    start(kept, root(i));
    if (i % 10 == 0) kept.push_back(unstarted(i));
    if (i % 20 == 0) start(kept, finished(i));
    if (i % 50 == 0) start(kept, big(i));
  }
  for (unsigned long i = 0; i < 10; ++i) start(kept, large(i));
}

}  // namespace hand

int main(int argc, char** argv) {
  const unsigned long chains = argc > 1 ? std::strtoul(argv[1], nullptr, 10) / 2 * 2 : 40'000;
  std::vector<hand::task> here;
  std::vector<hand::task> there;
  std::thread other([&] { hand::fill(there, chains / 2); });
  hand::fill(here, chains / 2);
  other.join();
  const auto every = [&](unsigned long step) { return (chains / 2 + step - 1) / step * 2; };
  announce_and_wait({{"leaf", chains},
                     {"middle", chains},
                     {"root", chains},
                     {"unstarted", every(10)},
                     {"finished", every(20)},
                     {"big", every(50)},
                     {"large", 20}});
}
