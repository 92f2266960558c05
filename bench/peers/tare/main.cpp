// The workloads of bench/README.md on tare, one shard.
//
//   peer_tare [--detached | --value-or-task] WORKLOAD N
//   peer_tare --version

#include <tare/tare.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <vector>

// Calls of the general allocator. Frames are not among them, because they come from the shard's arena.
namespace {
std::uint64_t allocations = 0;
std::uint64_t allocated_bytes = 0;
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  allocated_bytes += size;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }

namespace {

using namespace std::chrono_literals;
using duration = std::chrono::milliseconds;
using stopwatch = std::chrono::steady_clock;

constexpr duration for_ever = 1h;
constexpr duration at_once = 1ms;
constexpr std::size_t request_size = 1024;
constexpr std::size_t churn_alive = 100'000;
constexpr std::size_t churn_round = 1'000;

std::uint64_t parked = 0;
std::uint64_t checksum = 0;

double seconds_since(stopwatch::time_point start) {
  return std::chrono::duration<double>(stopwatch::now() - start).count();
}

/// Counts the tasks when they are suspended.
duration noted(duration length) {
  if (length == for_ever) ++parked;
  return length;
}

// --- empty

tare::task<> sleeper() { co_await tare::sleep_for(noted(for_ever)); }

// --- handler

struct request_buffer {
  std::array<std::byte, 4096> bytes;
};

/// Like a read of the library's streams: there is no buffer until there are bytes to put into it.
tare::task<std::unique_ptr<request_buffer>> read_request(duration until_arrival) {
  co_await tare::sleep_for(noted(until_arrival));
  auto request = std::make_unique_for_overwrite<request_buffer>();
  std::fill_n(request->bytes.begin(), request_size, std::byte{7});
  co_return request;
}

std::uint64_t key_of(const request_buffer& request) {
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < request_size; ++i) key = key * 31 + static_cast<std::uint64_t>(request.bytes[i]);
  return key;
}

tare::task<std::uint64_t> query(std::uint64_t key, duration latency) {
  co_await tare::sleep_for(noted(latency));
  co_return key * 31 + 7;
}

std::vector<std::byte> build_response(std::uint64_t row, std::byte id) {
  std::vector<std::byte> response;
  response.reserve(2048);
  response.push_back(id);
  while (response.size() < 1024) response.push_back(static_cast<std::byte>(row >> (response.size() % 8 * 8)));
  return response;
}

tare::task<> write_response(const std::vector<std::byte>& response) {
  co_await tare::sleep_for(at_once);
  checksum += static_cast<std::uint64_t>(response.back());
}

tare::task<> handler(duration until_arrival, duration latency) {
  const auto request = co_await read_request(until_arrival);
  const std::uint64_t row = co_await query(key_of(*request), latency);
  const auto response = build_response(row, request->bytes[0]);
  co_await write_response(response);
}

tare::task<> trimmed_handler(duration until_arrival, duration latency) {
  std::uint64_t key = 0;
  std::byte id{};
  {
    const auto request = co_await read_request(until_arrival);
    key = key_of(*request);
    id = request->bytes[0];
  }
  const std::uint64_t row = co_await query(key, latency);
  const auto response = build_response(row, id);
  co_await write_response(response);
}

// --- nested

template <int Level>
tare::task<std::uint64_t> nested(std::uint64_t value, duration at_leaf) {
  if constexpr (Level == 1) {
    co_await tare::sleep_for(noted(at_leaf));
    co_return value;
  } else {
    co_return value + co_await nested<Level - 1>(value + 1, at_leaf);
  }
}

tare::task<> nested_task(duration at_top, duration at_leaf) {
  if (at_top == for_ever) co_await tare::sleep_for(noted(at_top));
  checksum += co_await nested<8>(1, at_leaf);
}

// --- mostly-ready

tare::task<std::uint64_t> look_up(std::uint64_t i) {
  if (i % 100 == 0) co_await tare::yield();
  co_return i;
}

tare::task<std::uint64_t> look_up_slowly(std::uint64_t i) {
  co_await tare::yield();
  co_return i;
}
tare::value_or_task<std::uint64_t> look_up_value(std::uint64_t i) {
  if (i % 100 == 0) return look_up_slowly(i);
  return i;
}

template <auto LookUp>
tare::task<> mostly_ready(std::uint64_t n) {
  const std::uint64_t allocations_before = allocations;
  const std::uint64_t bytes_before = allocated_bytes;
  const auto start = stopwatch::now();
  for (std::uint64_t i = 0; i < n; ++i) checksum += co_await LookUp(i);
  const double seconds = seconds_since(start);
  std::printf("seconds=%.9f\nallocations=%llu\nallocated_bytes=%llu\n", seconds,
              static_cast<unsigned long long>(allocations - allocations_before),
              static_cast<unsigned long long>(allocated_bytes - bytes_before));
}

// --- churn

tare::task<> short_task(std::uint64_t i) {
  co_await tare::yield();
  checksum += i;
}

tare::task<> churn(std::uint64_t n) {
  const auto start = stopwatch::now();
  for (std::uint64_t done = 0; done < n; done += churn_round) {
    co_await tare::with_scope([&](tare::scope& s) -> tare::task<> {
      for (std::uint64_t i = done; i < std::min(n, done + churn_round); ++i) s.spawn(short_task(i));
      co_return;
    });
  }
  std::printf("seconds=%.9f\n", seconds_since(start));
}

// --- the program

void say_ready() {
  std::puts("READY");
  std::fflush(stdout);
}

tare::task<> until_parked(std::uint64_t n, stopwatch::time_point start) {
  co_await tare::yield();  // lets those that suspend immediately do so
  while (parked < n) co_await tare::sleep_for(1ms);
  co_await tare::yield();
  std::printf("spawn_seconds=%.9f\n", seconds_since(start));
}

struct job {
  std::string_view workload;
  std::uint64_t n = 0;
  bool detached = false;
  bool value_or_task = false;
};

/// A task of a workload that measures weight.
tare::task<> make_task(std::string_view workload) {
  if (workload == "handler-at-read") return handler(for_ever, at_once);
  if (workload == "handler-at-query") return handler(at_once, for_ever);
  if (workload == "trimmed-at-read") return trimmed_handler(for_ever, at_once);
  if (workload == "trimmed-at-query") return trimmed_handler(at_once, for_ever);
  if (workload == "nested-at-leaf") return nested_task(at_once, for_ever);
  if (workload == "nested-at-top") return nested_task(for_ever, at_once);
  return sleeper();
}

/// Spawns with `spawn`, and prints READY when all are suspended.
template <class Spawn>
tare::task<> park(job what, Spawn spawn) {
  const std::uint64_t n = what.workload == "churn" ? churn_alive : what.n;
  const auto start = stopwatch::now();
  if (what.workload == "empty" || what.workload == "churn") {
    for (std::uint64_t i = 0; i < n; ++i) spawn(sleeper());
  } else {
    for (std::uint64_t i = 0; i < n; ++i) spawn(make_task(what.workload));
  }
  co_await until_parked(n, start);
  if (what.workload == "churn") co_await churn(what.n);
  say_ready();
}

tare::task<> in_a_scope(job what) {
  co_await tare::with_scope(
      [what](tare::scope& s) { return park(what, [&s](tare::task<> one) { s.spawn(std::move(one)); }); });
}

tare::task<> detached(job what) {
  co_await park(what, [](tare::task<> one) { tare::spawn(std::move(one)); });
  co_await tare::sleep_for(for_ever);
}

tare::task<> awaits(job what) {
  if (what.value_or_task) {
    co_await mostly_ready<look_up_value>(what.n);
  } else {
    co_await mostly_ready<look_up>(what.n);
  }
  say_ready();
  co_await tare::sleep_for(for_ever);
}

bool known(std::string_view workload) {
  constexpr std::array names{"empty",           "handler-at-read",  "handler-at-query",
                             "trimmed-at-read", "trimmed-at-query", "nested-at-leaf",
                             "nested-at-top",   "mostly-ready",     "churn"};
  return std::ranges::find(names, workload) != names.end();
}

std::optional<std::uint64_t> count(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

std::optional<job> parse(std::vector<std::string_view> arguments) {
  job what;
  if (!arguments.empty() && arguments.front() == "--detached") {
    what.detached = true;
    arguments.erase(arguments.begin());
  } else if (!arguments.empty() && arguments.front() == "--value-or-task") {
    what.value_or_task = true;
    arguments.erase(arguments.begin());
  }
  if (arguments.size() != 2 || !known(arguments[0])) return std::nullopt;
  const auto n = count(arguments[1]);
  if (!n) return std::nullopt;
  what.workload = arguments[0];
  what.n = *n;
  return what;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  if (arguments == std::vector<std::string_view>{"--version"}) {
    std::printf("%.*s\n", static_cast<int>(tare::version.size()), tare::version.data());
    return 0;
  }
  const auto what = parse(arguments);
  if (!what) {
    std::fputs("usage: peer_tare [--detached | --value-or-task] WORKLOAD N\n", stderr);
    return 2;
  }
  tare::runtime rt({.shards = 1});
  if (what->workload == "mostly-ready") {
    rt.run(awaits(*what));
  } else {
    rt.run(what->detached ? detached(*what) : in_a_scope(*what));
  }
  return checksum == 1 ? 1 : 0;  // so that nothing is optimized away
}
