// The reference service: accepts, reads, queries a database, responds; holds very many connections within a budget.
//
//   service --seed --listen 127.0.0.1:8080 --budget 512M
//
// On SIGHUP it reads the certificate of --tls again. On SIGTERM or SIGINT it stops accepting, completes the requests in
// progress, closes the database, and ends. Without --db the items are in an SQLite file in ~/.local/state/tare, or in
// $XDG_STATE_HOME.

#include "catalogue.hpp"
#include "handlers.hpp"
#include "options.hpp"
#include "service.hpp"

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <malloc.h>

#include <cstdio>
#include <exception>
#include <string>
#include <utility>

namespace service {

namespace {

using tare::task;

constexpr int failed = 1;

/// The address to type into curl.
std::string url_of(const tare::net::endpoint& at, bool tls) {
  const std::string scheme = tls ? "https://" : "http://";
  if (at.is_unix()) return "--unix-socket " + at.to_string().substr(5) + ' ' + scheme + "localhost";
  return scheme + at.to_string();
}

tare::http::serve_options serve_options(application& app, const options& chosen) {
  constexpr int first_passed = 3;
  tare::http::serve_options serving;
  serving.listen = chosen.listen;
  if (chosen.socket_passed) serving.adopted_socket = first_passed;
  serving.tls = chosen.tls;
  serving.server = server_options(chosen.tls.has_value());
  serving.grace = chosen.grace;
  serving.health_path = "/healthz";
  serving.is_healthy = [&app] { return app.items.answers(); };
  serving.metrics_path = "/metrics";
  serving.metrics = [&app](const tare::http::serving_figures& of) { return metrics_of(app, of); };
  serving.on_stopping = [] { std::fputs("service: stopping\n", stderr); };
  serving.on_reloaded = [](const tare::net::result<void>& loaded) {
    std::fprintf(stderr, "service: --tls: %s\n", loaded ? "loaded anew" : loaded.error().message().c_str());
  };
  return serving;
}

void say_where(const tare::net::endpoint& address, const options& chosen) {
  const std::string url = url_of(address, chosen.tls.has_value());
  std::printf("listening on %s\n", url.c_str());
  if (chosen.seed) std::printf("try: curl -s %s/items/1\n", url.c_str());
  std::fflush(stdout);
}

task<int> run(tare::runtime& runtime, const options& chosen, tare::db::pool database) {
  application app(runtime, catalogue(std::move(database), chosen.database.starts_with("postgres")));
  bool listening = false;
  tare::http::serve_options serving = serve_options(app, chosen);
  serving.on_listening = [&](const tare::net::endpoint& address) {
    listening = true;
    say_where(address, chosen);
  };
  tare::net::result<void> ended;
  auto prepare_and_serve = [&](tare::scope& preparing) -> task<> {
    preparing.spawn(prepare(app, chosen.seed));
    auto serve = tare::http::serve_until_stopped(make_routes(app), std::move(serving));
    ended = co_await std::move(serve);
    preparing.cancel();
  };
  co_await tare::with_scope(prepare_and_serve);
  co_await app.items.database().close();
  if (ended) co_return 0;
  const std::string at = chosen.socket_passed ? "the socket of systemd" : chosen.listen.to_string();
  std::fprintf(stderr, "service: %s on %s: %s\n", listening ? "cannot accept" : "cannot listen", at.c_str(),
               ended.error().message().c_str());
  co_return failed;
}

int start(const options& chosen) {
  auto database = tare::db::pool::open(chosen.database, {.connections = chosen.connections});
  if (!database) {
    std::fprintf(stderr, "service: --db: %s\n", database.error().message().c_str());
    return 2;
  }
  tare::runtime runtime({.shards = chosen.shards,
                         .frame_limit = chosen.budget,  // a hard limit beyond admission
                         .memory_limit = chosen.budget,
                         .blocking_threads = static_cast<unsigned>(chosen.connections)});
  return runtime.run(run(runtime, chosen, *std::move(database)));
}

}  // namespace

}  // namespace service

int main(int argc, char** argv) {
  // Otherwise each thread of the blocking pool would keep its own memory, which only it can reuse.
  ::mallopt(M_ARENA_MAX, 2);  // NOLINT(concurrency-mt-unsafe): there is only one thread yet
  try {
    const auto chosen = service::parse_options(argc, argv);
    return chosen ? service::start(*chosen) : chosen.error();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "service: %s\n", error.what());
    return 1;
  }
}
