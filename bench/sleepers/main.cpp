// A large number of sleeping tasks on one shard: what they take to start, while asleep, and to wake and end.
//
//   sleepers [--detached] [--shuffled] N
//
// The tasks are those of a scope, or detached. Their deadlines are the same, or shuffled over 3 seconds. Time is
// virtual, so that all tasks are asleep before the first one is due.

#include <tare/tare.hpp>

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

constexpr std::chrono::milliseconds spread = 3s;

struct job {
  std::uint64_t n = 0;
  bool detached = false;
  bool shuffled = false;
};

// Globals, because a parameter would be a part of each task's frame.
std::uint64_t asleep = 0;
std::uint64_t ended = 0;
std::uint64_t shuffle_state = 0;  ///< 0: all deadlines are the same

std::chrono::milliseconds next_delay() {
  ++asleep;
  if (shuffle_state == 0) return spread;
  // xorshift64*
  shuffle_state ^= shuffle_state >> 12U;
  shuffle_state ^= shuffle_state << 25U;
  shuffle_state ^= shuffle_state >> 27U;
  const std::uint64_t random = (shuffle_state * 0x2545f4914f6cdd1dULL) >> 32U;
  return std::chrono::milliseconds(1 + ((random * static_cast<std::uint64_t>(spread.count())) >> 32U));
}

task<> sleeper() {
  co_await tare::sleep_for(next_delay());
  ++ended;
}

/// Processor time of this thread, which other programs on the machine affect less than the time of day.
double processor_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void print_time(const char* name, double seconds, std::uint64_t n) {
  std::printf("%s=%.2f\n", name, seconds * 1e9 / static_cast<double>(n));
}

void print_resident(const char* name) {
  std::printf("%s=%llu\n", name, static_cast<unsigned long long>(resident_bytes()));
}

/// Starts the tasks with `spawn`, and lets them sleep and end.
template <class Spawn>
task<> measure(std::uint64_t n, Spawn spawn) {
  double start = processor_seconds();
  for (std::uint64_t i = 0; i < n; ++i) spawn(sleeper());
  while (asleep < n) co_await tare::yield();
  print_time("start_ns", processor_seconds() - start, n);
  print_resident("resident_asleep");
  start = processor_seconds();
  // Ends after the last of them, whose deadline may be the same.
  co_await tare::sleep_for(spread);
  while (ended < n) co_await tare::yield();
  print_time("wake_and_end_ns", processor_seconds() - start, n);
}

task<> run_job(job what) {
  if (what.detached) {
    co_await measure(what.n, [](task<> started) { tare::spawn(std::move(started)); });
  } else {
    co_await tare::with_scope(
        [what](tare::scope& s) { return measure(what.n, [&s](task<> started) { s.spawn(std::move(started)); }); });
  }
  co_await tare::sleep_for(1s);  // the idle shard returns its memory
  print_resident("resident_afterwards");
}

std::optional<job> parse(const std::vector<std::string_view>& arguments) {
  job what;
  for (const std::string_view argument : arguments) {
    if (argument == "--detached") {
      what.detached = true;
    } else if (argument == "--shuffled") {
      what.shuffled = true;
    } else {
      const auto [end, error] = std::from_chars(argument.data(), argument.data() + argument.size(), what.n);
      if (error != std::errc() || end != argument.data() + argument.size() || what.n == 0) return std::nullopt;
    }
  }
  if (what.n == 0) return std::nullopt;
  return what;
}

/// A task takes at most 40 bytes, and the process a few megabytes.
bool has_memory_for(std::uint64_t n) {
  std::ifstream meminfo("/proc/meminfo");
  std::string name;
  while (meminfo >> name) {
    std::uint64_t kilobytes = 0;
    if (name == "MemAvailable:" && meminfo >> kilobytes) return n < kilobytes * 1024 / 40;
  }
  return true;  // unknown
}

}  // namespace

int main(int argc, char** argv) {
  const auto what = parse({argv + 1, argv + argc});
  if (!what) {
    std::fputs("usage: sleepers [--detached] [--shuffled] N\n", stderr);
    return 2;
  }
  if (!has_memory_for(what->n)) {
    std::fputs("sleepers: not enough memory is available for that many tasks: use fewer\n", stderr);
    return 1;
  }
  if (what->shuffled) shuffle_state = 88172645463325252ULL;
  tare::runtime rt({.shards = 1, .clock = tare::clock_kind::virtual_time});
  rt.run(run_job(*what));
  return 0;
}
