// A push gateway: back ends publish by HTTP POST, clients subscribe by WebSocket, event stream or long poll.
//
//   push --listen 127.0.0.1:8080 --budget 512M
//   curl -N http://127.0.0.1:8080/topics/news/events &
//   curl -d hello http://127.0.0.1:8080/topics/news
//
// All topics are in one shard, so there is one order of all events, and one thread that sends. For more, start several
// processes, which share their events with --nats (docs/operations.md).
//
// On SIGHUP it reads the certificate of --tls again. On SIGTERM or SIGINT it stops accepting, completes the requests in
// progress, closes WebSockets with 1001, ends event streams and long polls, and ends.

#include "application.hpp"
#include "handlers.hpp"
#include "nats_stream.hpp"
#include "options.hpp"
#include "subscribers.hpp"

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <malloc.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace push {

namespace {

using namespace std::chrono_literals;
using tare::task;

task<> forget_old_histories(application& app) {
  for (;;) {
    co_await tare::sleep_for(1s);
    app.all.forget_old();
  }
}

tare::http::server_options server_options(const options& chosen) {
  // An event while it is published: as it was received, and as it is sent to each kind of subscriber.
  constexpr std::size_t copies = 4;
  constexpr std::size_t frame_bytes = std::size_t{32} << 10U;
  tare::http::server_options set;
  set.max_body_bytes = chosen.max_event_bytes;
  set.head_timeout = 10s;
  set.body_timeout = 10s;
  set.write_timeout = chosen.write_timeout;
  set.send_buffer_bytes = chosen.send_buffer_bytes;
  set.request_timeout = max_wait + 30s;
  // The memory of a connection until it waits: a buffer, and the frames of a request. The TLS state stays.
  set.connection_bytes = std::size_t{chosen.tls ? 64U : 16U} << 10U;
  set.shed_idle = true;
  set.request_bytes = copies * chosen.max_event_bytes + frame_bytes;
  set.on_error = [](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& thrown) {
      std::fprintf(stderr, "push: a handler failed: %s\n", thrown.what());
    } catch (...) {
      std::fputs("push: a handler failed\n", stderr);
    }
  };
  return set;
}

tare::http::serve_options serve_options(application& app, const options& chosen) {
  tare::http::serve_options serving;
  serving.listen = chosen.listen;
  serving.tls = chosen.tls;
  serving.server = server_options(chosen);
  serving.grace = chosen.grace;
  serving.health_path = "/healthz";
  serving.metrics_path = "/metrics";
  serving.metrics = [&app](const tare::http::serving_figures& of) { return metrics_of(app, of); };
  serving.on_stopping = [] { std::fputs("push: stopping\n", stderr); };
  serving.on_reloaded = [](const tare::net::result<void>& loaded) {
    std::fprintf(stderr, "push: --tls: %s\n", loaded ? "loaded anew" : loaded.error().message().c_str());
  };
  return serving;
}

void say_where(const tare::net::endpoint& address, bool tls) {
  const std::string scheme = tls ? "https://" : "http://";
  const bool is_path = address.is_unix();
  const std::string url = is_path ? "--unix-socket " + address.to_string().substr(5) + ' ' + scheme + "localhost"
                                  : scheme + address.to_string();
  std::printf("listening on %s\n", url.c_str());
  std::printf("try: curl -N %s/topics/news/events\n", url.c_str());
  std::printf("     curl -d hello %s/topics/news\n", url.c_str());
  if (!is_path) std::printf("     or open %s/ in a browser\n", url.c_str());
  std::fflush(stdout);
}

/// The event arrives at the topics. Waits for memory as long as necessary, because other processes have it.
task<> publish_streamed(application& app, const streamed& next) {
  for (;;) {
    const tare::http::event sent{.data = next.data, .name = next.name};
    const auto done = app.all.publish_as(next.sequence, next.topic, sent);
    if (done || done.error() != refusal::no_memory) break;
    co_await tare::sleep_for(50ms);
  }
  // Without room for its topic, which has no subscribers, the event is not kept.
  if (app.all.sequence() < next.sequence) app.all.skip_to(next.sequence, false);
}

/// Until the stream has no more events for now, or, with `forever`, until it is not the same any more.
task<> read_stream(application& app, bool forever) {
  bool is_first = !forever;
  while (auto next = co_await app.shared->events().receive()) {
    if (std::exchange(is_first, false))
      app.all.skip_to(next->sequence - (next->kind == streamed_kind::event ? 1 : 0), false);
    if (next->kind == streamed_kind::event) {
      task<> publishing = publish_streamed(app, *next);
      co_await std::move(publishing);
    } else {
      app.all.skip_to(next->sequence);
      if (next->kind == streamed_kind::skipped) app.measured.skipped.Increment();
    }
    if (next->kind == streamed_kind::caught_up && !forever) co_return;
  }
}

constexpr int again = -1;

/// Serves until a signal has stopped it. Returns `again` if the stream is not the same any more: no position of a
/// client is valid then, so all are disconnected, and their ids are unknown when they connect again.
task<int> serve(application& app, const options& chosen) {
  bool listening = false;
  tare::http::serve_options serving = serve_options(app, chosen);
  serving.on_listening = [&](const tare::net::endpoint& address) {
    listening = true;
    say_where(address, chosen.tls.has_value());
  };
  std::optional<tare::net::result<void>> ended;
  auto serve_to_the_end = [&]() -> task<> {
    auto served = tare::http::serve_until_stopped(make_routes(app), std::move(serving));
    ended = co_await std::move(served);
  };
  auto stream_to_the_end = [&]() -> task<> {
    auto reading = read_stream(app, true);
    co_await std::move(reading);
  };
  std::vector<task<>> all;
  all.push_back(serve_to_the_end());
  all.push_back(forget_old_histories(app));
  if (app.shared != nullptr) all.push_back(stream_to_the_end());
  (void)co_await tare::when_any(std::move(all));
  if (!ended) co_return again;
  if (*ended) co_return 0;
  std::fprintf(stderr, "push: %s on %s: %s\n", listening ? "cannot accept" : "cannot listen",
               chosen.listen.to_string().c_str(), ended->error().message().c_str());
  co_return 1;
}

task<int> run(tare::runtime& runtime, const options& chosen, nats_stream* shared) {
  using std::chrono::microseconds;
  const auto now = std::chrono::duration_cast<microseconds>(std::chrono::system_clock::now().time_since_epoch());
  application app(runtime, chosen.limits, event_ids(shared != nullptr ? shared->created() : now), chosen.allowed,
                  shared);
  if (shared != nullptr) {
    auto reading = read_stream(app, false);
    co_await std::move(reading);
  }
  auto serving = serve(app, chosen);
  co_return co_await std::move(serving);
}

/// Each subscriber needs a descriptor.
void raise_descriptor_limit() noexcept {
  ::rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

int serve_once(const options& chosen) {
  std::optional<nats_stream> shared;
  if (!chosen.nats.empty()) {
    shared.emplace(stream_options{.url = chosen.nats,
                                  .name = chosen.stream,
                                  .max_age = chosen.limits.history_time,
                                  .max_event_bytes = chosen.max_event_bytes});
  }
  tare::runtime runtime({.frame_limit = chosen.budget,  // a hard limit beyond admission
                         .memory_limit = chosen.budget});
  return runtime.run(run(runtime, chosen, shared ? &*shared : nullptr));
}

int start(const options& chosen) {
  raise_descriptor_limit();
  int status = again;
  while (status == again) status = serve_once(chosen);
  return status;
}

}  // namespace

}  // namespace push

int main(int argc, char** argv) {
  // Otherwise each thread would keep its own memory, which only it can reuse.
  ::mallopt(M_ARENA_MAX, 2);  // NOLINT(concurrency-mt-unsafe): there is only one thread yet
  try {
    const auto chosen = push::parse_options(argc, argv);
    return chosen ? push::start(*chosen) : chosen.error();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "push: %s\n", error.what());
    return 1;
  }
}
