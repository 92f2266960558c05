// The workloads of bench/README.md with only what they require: an array of records, and a heap of deadlines. There is
// no runtime, no callback and no memory manager: this is the weight of a program that does only this work.
//
//   peer_floor WORKLOAD N

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using stopwatch = std::chrono::steady_clock;

constexpr std::uint64_t for_ever = 3'600'000;  // milliseconds
constexpr std::size_t request_size = 1024;
constexpr std::uint64_t churn_alive = 100'000;
constexpr std::uint64_t churn_round = 1'000;

std::uint64_t checksum = 0;

double seconds_since(stopwatch::time_point start) {
  return std::chrono::duration<double>(stopwatch::now() - start).count();
}

/// When a task continues, and which one; they form a heap with the earliest at the front.
struct deadline {
  std::uint32_t tick;
  std::uint32_t task;
  friend bool operator>(const deadline& a, const deadline& b) { return a.tick > b.tick; }
};

class timers {
 public:
  void reserve(std::uint64_t n) { heap_.reserve(n); }
  void add(deadline one) {
    heap_.push_back(one);
    std::ranges::push_heap(heap_, std::greater{});
  }
  deadline take() {
    std::ranges::pop_heap(heap_, std::greater{});
    const deadline first = heap_.back();
    heap_.pop_back();
    return first;
  }

 private:
  std::vector<deadline> heap_;
};

enum class state : std::uint8_t { reading, querying, done };

struct sleeper {
  state at;
};

/// A connection: the buffer, while there is one, and what is kept of the request.
struct connection {
  unsigned char* request;
  std::uint32_t key;
  unsigned char id;
  state at;
};

void read(connection& one, bool trimmed) {
  auto* buffer = static_cast<unsigned char*>(std::malloc(4096));
  if (buffer == nullptr) std::abort();
  std::fill_n(buffer, request_size, static_cast<unsigned char>(7));
  for (std::size_t i = 0; i < request_size; ++i) one.key = one.key * 31 + buffer[i];
  one.id = buffer[0];
  one.at = state::querying;
  if (trimmed) {
    std::free(buffer);
  } else {
    one.request = buffer;
  }
}

void say_ready() {
  std::puts("READY");
  std::fflush(stdout);
  std::this_thread::sleep_for(std::chrono::hours(1));
}

void sleepers(std::uint64_t n, std::uint64_t churned, bool churn) {
  const auto start = stopwatch::now();
  std::vector<sleeper> tasks(n + (churn ? churn_round : 0));
  timers waiting;
  waiting.reserve(tasks.size());
  for (std::uint64_t i = 0; i < n; ++i) waiting.add({for_ever, static_cast<std::uint32_t>(i)});
  std::printf("spawn_seconds=%.9f\n", seconds_since(start));
  if (churn) {
    const auto begin = stopwatch::now();
    for (std::uint64_t done = 0; done < churned; done += churn_round) {
      const std::uint64_t round = std::min(churn_round, churned - done);
      for (std::uint64_t i = 0; i < round; ++i) waiting.add({0, static_cast<std::uint32_t>(n + i)});
      for (std::uint64_t i = 0; i < round; ++i) {
        sleeper& one = tasks[waiting.take().task];
        one.at = state::done;
        ++checksum;
      }
    }
    std::printf("seconds=%.9f\n", seconds_since(begin));
  }
  say_ready();
}

void connections(std::uint64_t n, bool at_query, bool trimmed) {
  const auto start = stopwatch::now();
  std::vector<connection> tasks(n);
  timers waiting;
  waiting.reserve(n);
  for (std::uint64_t i = 0; i < n; ++i) {
    if (at_query) read(tasks[i], trimmed);
    waiting.add({for_ever, static_cast<std::uint32_t>(i)});
  }
  std::printf("spawn_seconds=%.9f\n", seconds_since(start));
  say_ready();
}

bool read_count(std::string_view text, std::uint64_t& n) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view workload = argc == 3 ? argv[1] : "";
  std::uint64_t n = 0;
  const bool valid = argc == 3 && read_count(argv[2], n);
  const bool handler = workload == "handler-at-read" || workload == "handler-at-query" ||
                       workload == "trimmed-at-read" || workload == "trimmed-at-query";
  if (!valid || !(handler || workload == "empty" || workload == "churn")) {
    std::fputs("usage: peer_floor WORKLOAD N\n", stderr);
    return 2;
  }
  if (handler) {
    connections(n, workload.ends_with("query"), workload.starts_with("trimmed"));
  } else {
    sleepers(workload == "churn" ? churn_alive : n, n, workload == "churn");
  }
  return checksum == 1 ? 1 : 0;  // so that nothing is optimized away
}
