// The workloads of bench/README.md as callbacks of libuv: a struct per task, and a state instead of a coroutine.
//
//   peer_libuv WORKLOAD N
//   peer_libuv --version

#include <uv.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

namespace {

constexpr std::uint64_t for_ever = 3'600'000;  // milliseconds
constexpr std::uint64_t at_once = 1;
constexpr std::size_t request_size = 1024;
constexpr std::uint64_t churn_alive = 100'000;
constexpr std::uint64_t churn_round = 1'000;

std::uint64_t checksum = 0;

struct job {
  std::string_view workload;
  std::uint64_t n = 0;
  bool trimmed = false;
  std::uint64_t until_arrival = at_once;
  std::uint64_t latency = at_once;
  std::uint64_t start = 0;  // nanoseconds
  std::uint64_t tasks = 0;
  std::uint64_t parked = 0;
  std::uint64_t churned = 0;
  std::uint64_t running = 0;  // in the current round
};
job current;  // the callbacks share their state through this

std::uint64_t noted(std::uint64_t length) {
  if (length == for_ever) ++current.parked;
  return length;
}

void say(const char* key, std::uint64_t since) {
  std::printf("%s=%.9f\n", key, static_cast<double>(uv_hrtime() - since) / 1e9);
}

void say_ready() {
  std::puts("READY");
  std::fflush(stdout);
}

template <class T>
T* allocate() {
  auto* memory = static_cast<T*>(std::malloc(sizeof(T)));
  if (memory == nullptr) std::abort();
  return memory;
}

// --- empty

void free_timer(uv_handle_t* timer) { std::free(timer); }

void spawn_sleeper() {
  auto* timer = allocate<uv_timer_t>();
  uv_timer_init(uv_default_loop(), timer);
  uv_timer_start(
      timer, [](uv_timer_t* ended) { uv_close(reinterpret_cast<uv_handle_t*>(ended), free_timer); }, noted(for_ever),
      0);
}

// --- handler

struct request_buffer {
  unsigned char bytes[4096];
};

struct connection {
  uv_timer_t timer;  // first, because a handle is freed through a pointer to its connection
  request_buffer* request;
  unsigned char* response;
  std::uint64_t row;
  unsigned char id;
};

connection& of(uv_timer_t* timer) { return *static_cast<connection*>(timer->data); }

std::uint64_t key_of(const request_buffer& request) {
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < request_size; ++i) key = key * 31 + request.bytes[i];
  return key;
}

void written(uv_timer_t* timer) {
  connection& one = of(timer);
  checksum += one.response[request_size - 1];
  std::free(one.response);
  std::free(one.request);
  uv_close(reinterpret_cast<uv_handle_t*>(timer), free_timer);
}

void queried(uv_timer_t* timer) {
  connection& one = of(timer);
  const std::uint64_t row = one.row * 31 + 7;
  one.response = static_cast<unsigned char*>(std::malloc(2048));
  if (one.response == nullptr) std::abort();
  one.response[0] = one.id;
  for (std::size_t i = 1; i < request_size; ++i) one.response[i] = static_cast<unsigned char>(row >> (i % 8 * 8));
  uv_timer_start(timer, written, at_once, 0);
}

void arrived(uv_timer_t* timer) {
  connection& one = of(timer);
  // libuv asks for the buffer when there is something to read.
  one.request = allocate<request_buffer>();
  std::memset(one.request->bytes, 7, request_size);
  one.row = key_of(*one.request);
  one.id = one.request->bytes[0];
  if (current.trimmed) {
    std::free(one.request);
    one.request = nullptr;
  }
  uv_timer_start(timer, queried, noted(current.latency), 0);
}

void spawn_connection() {
  auto* one = allocate<connection>();
  one->request = nullptr;
  one->response = nullptr;
  uv_timer_init(uv_default_loop(), &one->timer);
  one->timer.data = one;
  uv_timer_start(&one->timer, arrived, noted(current.until_arrival), 0);
}

// --- churn

void next_round(uv_timer_t* timer);

uv_timer_t round_timer;

void spawn_short() {
  auto* timer = allocate<uv_timer_t>();
  uv_timer_init(uv_default_loop(), timer);
  ++current.running;
  uv_timer_start(
      timer,
      [](uv_timer_t* ended) {
        ++checksum;
        uv_close(reinterpret_cast<uv_handle_t*>(ended), [](uv_handle_t* closed) {
          std::free(closed);
          if (--current.running == 0) uv_timer_start(&round_timer, next_round, 0, 0);
        });
      },
      0, 0);
}

void next_round(uv_timer_t* /*timer*/) {
  if (current.churned >= current.n) {
    say("seconds", current.start);
    say_ready();
    return;
  }
  const std::uint64_t end = std::min(current.n, current.churned + churn_round);
  for (; current.churned < end; ++current.churned) spawn_short();
}

// --- the program

void once_parked(uv_timer_t* poll) {
  if (current.parked < current.tasks) return;
  uv_timer_stop(poll);
  say("spawn_seconds", current.start);
  if (current.workload == "churn") {
    current.start = uv_hrtime();
    next_round(nullptr);
  } else {
    say_ready();
  }
}

void run() {
  uv_loop_t* loop = uv_default_loop();
  uv_timer_t poll;
  uv_timer_init(loop, &poll);
  uv_timer_init(loop, &round_timer);
  current.start = uv_hrtime();
  const bool handler = current.workload.starts_with("handler") || current.workload.starts_with("trimmed");
  for (std::uint64_t i = 0; i < current.tasks; ++i) handler ? spawn_connection() : spawn_sleeper();
  uv_timer_start(&poll, once_parked, 0, 1);
  uv_run(loop, UV_RUN_DEFAULT);
}

bool known(std::string_view workload) {
  return workload == "empty" || workload == "churn" || workload == "handler-at-read" ||
         workload == "handler-at-query" || workload == "trimmed-at-read" || workload == "trimmed-at-query";
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
    std::printf("%s\n", uv_version_string());
    return 0;
  }
  const auto n = argc == 3 && known(workload) ? count(argv[2]) : std::nullopt;
  if (!n) {
    std::fputs("usage: peer_libuv WORKLOAD N\n", stderr);
    return 2;
  }
  current.workload = workload;
  current.n = *n;
  current.tasks = workload == "churn" ? churn_alive : *n;
  current.trimmed = workload.starts_with("trimmed");
  if (workload.ends_with("at-read")) current.until_arrival = for_ever;
  if (workload.ends_with("at-query")) current.latency = for_ever;
  run();
  return checksum == 1 ? 1 : 0;  // so that nothing is optimized away
}
