// The workloads of bench/README.md on Boost.Asio, one thread.
//
//   peer_asio WORKLOAD N
//   peer_asio --version

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/version.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace asio = boost::asio;

// Calls of the general allocator. Asio caches the last frames of a thread; reusing those is not counted.
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

using duration = std::chrono::milliseconds;
using stopwatch = std::chrono::steady_clock;

constexpr duration for_ever = std::chrono::hours(1);
constexpr duration at_once = std::chrono::milliseconds(1);
constexpr std::size_t request_size = 1024;
constexpr std::uint64_t churn_alive = 100'000;
constexpr std::uint64_t churn_round = 1'000;

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

asio::awaitable<void> sleeper() {
  asio::steady_timer timer(co_await asio::this_coro::executor, noted(for_ever));
  co_await timer.async_wait(asio::use_awaitable);
}

// --- handler

using request_buffer = std::array<std::byte, 4096>;

// An asynchronous operation of a stream returns an awaitable, not a coroutine of the program. So the timers that
// represent the operations are in the handler, as the stream and the database connection would be.
auto read_some(asio::steady_timer& stream, duration until_arrival) {
  stream.expires_after(noted(until_arrival));
  return stream.async_wait(asio::use_awaitable);
}

std::size_t arrive(std::span<std::byte> buffer) {
  std::fill_n(buffer.begin(), request_size, std::byte{7});
  return request_size;
}

std::uint64_t key_of(std::span<const std::byte> request) {
  std::uint64_t key = 0;
  for (const std::byte one : request) key = key * 31 + static_cast<std::uint64_t>(one);
  return key;
}

asio::awaitable<std::uint64_t> query(std::uint64_t key, duration latency) {
  asio::steady_timer timer(co_await asio::this_coro::executor, noted(latency));
  co_await timer.async_wait(asio::use_awaitable);
  co_return key * 31 + 7;
}

std::vector<std::byte> build_response(std::uint64_t row, std::byte id) {
  std::vector<std::byte> response;
  response.reserve(2048);
  response.push_back(id);
  while (response.size() < 1024) response.push_back(static_cast<std::byte>(row >> (response.size() % 8 * 8)));
  return response;
}

asio::awaitable<void> write_response(asio::steady_timer& stream, const std::vector<std::byte>& response) {
  stream.expires_after(at_once);
  co_await stream.async_wait(asio::use_awaitable);
  checksum += static_cast<std::uint64_t>(response.back());
}

asio::awaitable<void> handler(duration until_arrival, duration latency) {
  asio::steady_timer stream(co_await asio::this_coro::executor);
  request_buffer request;
  co_await read_some(stream, until_arrival);
  const std::size_t size = arrive(request);
  const std::uint64_t row = co_await query(key_of(std::span(request).first(size)), latency);
  const auto response = build_response(row, request[0]);
  co_await write_response(stream, response);
}

asio::awaitable<void> trimmed_handler(duration until_arrival, duration latency) {
  asio::steady_timer stream(co_await asio::this_coro::executor);
  co_await read_some(stream,
                     until_arrival);  // async_wait(wait_read): the buffer is allocated when there is something to read
  std::uint64_t key = 0;
  std::byte id{};
  {
    const auto request = std::make_unique_for_overwrite<request_buffer>();
    const std::size_t size = arrive(*request);
    key = key_of(std::span(*request).first(size));
    id = (*request)[0];
  }
  const std::uint64_t row = co_await query(key, latency);
  const auto response = build_response(row, id);
  co_await write_response(stream, response);
}

// --- nested

template <int Level>
asio::awaitable<std::uint64_t> nested(std::uint64_t value, duration at_leaf) {
  if constexpr (Level == 1) {
    asio::steady_timer timer(co_await asio::this_coro::executor, noted(at_leaf));
    co_await timer.async_wait(asio::use_awaitable);
    co_return value;
  } else {
    co_return value + co_await nested<Level - 1>(value + 1, at_leaf);
  }
}

asio::awaitable<void> nested_task(duration at_top, duration at_leaf) {
  if (at_top == for_ever) {
    asio::steady_timer timer(co_await asio::this_coro::executor, noted(at_top));
    co_await timer.async_wait(asio::use_awaitable);
  }
  checksum += co_await nested<8>(1, at_leaf);
}

// --- mostly-ready

asio::awaitable<std::uint64_t> look_up(std::uint64_t i) {
  if (i % 100 == 0) co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  co_return i;
}

asio::awaitable<void> mostly_ready(std::uint64_t n) {
  const std::uint64_t allocations_before = allocations;
  const std::uint64_t bytes_before = allocated_bytes;
  const auto start = stopwatch::now();
  for (std::uint64_t i = 0; i < n; ++i) checksum += co_await look_up(i);
  const double seconds = seconds_since(start);
  std::printf("seconds=%.9f\nallocations=%llu\nallocated_bytes=%llu\n", seconds,
              static_cast<unsigned long long>(allocations - allocations_before),
              static_cast<unsigned long long>(allocated_bytes - bytes_before));
}

// --- the program

/// Asio cannot join many coroutines, so the parent counts them; a timer that never expires by itself is the usual event
/// in Asio.
class group {
 public:
  explicit group(asio::any_io_executor executor)
      : executor_(std::move(executor)), all_ended_(executor_, asio::steady_timer::time_point::max()) {}

  void spawn(asio::awaitable<void> task) {
    ++running_;
    asio::co_spawn(executor_, std::move(task), [this](std::exception_ptr error) {
      if (error && !first_error_) first_error_ = error;
      if (--running_ == 0) all_ended_.cancel();
    });
  }

  asio::awaitable<void> join() {
    while (running_ > 0) {
      boost::system::error_code cancelled;
      co_await all_ended_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    }
    if (first_error_) std::rethrow_exception(first_error_);
  }

 private:
  asio::any_io_executor executor_;
  asio::steady_timer all_ended_;
  std::size_t running_ = 0;
  std::exception_ptr first_error_;
};

asio::awaitable<void> short_task(std::uint64_t i) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  checksum += i;
}

asio::awaitable<void> churn(std::uint64_t n) {
  const auto executor = co_await asio::this_coro::executor;
  const auto start = stopwatch::now();
  for (std::uint64_t done = 0; done < n; done += churn_round) {
    group round(executor);
    for (std::uint64_t i = done; i < std::min(n, done + churn_round); ++i) round.spawn(short_task(i));
    co_await round.join();
  }
  std::printf("seconds=%.9f\n", seconds_since(start));
}

asio::awaitable<void> until_parked(std::uint64_t n, stopwatch::time_point start) {
  // After the first step of each coroutine in the queue.
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  while (parked < n) {
    asio::steady_timer timer(co_await asio::this_coro::executor, at_once);
    co_await timer.async_wait(asio::use_awaitable);
  }
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  std::printf("spawn_seconds=%.9f\n", seconds_since(start));
}

void say_ready() {
  std::puts("READY");
  std::fflush(stdout);
}

asio::awaitable<void> make_task(std::string_view workload) {
  if (workload == "handler-at-read") return handler(for_ever, at_once);
  if (workload == "handler-at-query") return handler(at_once, for_ever);
  if (workload == "trimmed-at-read") return trimmed_handler(for_ever, at_once);
  if (workload == "trimmed-at-query") return trimmed_handler(at_once, for_ever);
  if (workload == "nested-at-leaf") return nested_task(at_once, for_ever);
  if (workload == "nested-at-top") return nested_task(for_ever, at_once);
  return sleeper();
}

asio::awaitable<void> parent(std::string_view workload, std::uint64_t n) {
  group all(co_await asio::this_coro::executor);
  if (workload == "mostly-ready") {
    co_await mostly_ready(n);
    all.spawn(sleeper());
  } else {
    const std::uint64_t tasks = workload == "churn" ? churn_alive : n;
    const auto start = stopwatch::now();
    for (std::uint64_t i = 0; i < tasks; ++i) all.spawn(make_task(workload));
    co_await until_parked(tasks, start);
    if (workload == "churn") co_await churn(n);
  }
  say_ready();
  co_await all.join();
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

}  // namespace

int main(int argc, char** argv) {
  const std::string_view workload = argc > 1 ? argv[1] : "";
  if (argc == 2 && workload == "--version") {
    std::printf("%d.%d.%d\n", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100);
    return 0;
  }
  const auto n = argc == 3 && known(workload) ? count(argv[2]) : std::nullopt;
  if (!n) {
    std::fputs("usage: peer_asio WORKLOAD N\n", stderr);
    return 2;
  }
  // One thread runs it; with this hint Asio omits its locks.
  asio::io_context context(1);
  std::exception_ptr failed;
  asio::co_spawn(context, parent(workload, *n), [&](std::exception_ptr error) { failed = error; });
  context.run();
  if (failed) std::rethrow_exception(failed);
  return checksum == 1 ? 1 : 0;  // so that nothing is optimized away
}
