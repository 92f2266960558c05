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

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/net/tls.hpp>
#include <tare/tare.hpp>

#include <malloc.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <expected>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace service {

namespace {

using namespace std::chrono_literals;
using tare::task;

constexpr int failed = 1;

/// Waits until the database has its table, and the items if requested; meanwhile requests get 503.
task<> prepare(application& app, bool seed) {
  std::string complained;
  for (;;) {
    std::string complaint;
    try {
      auto done = co_await app.items.prepare();
      if (done && seed) done = co_await app.items.seed();
      if (done) break;
      complaint = done.error().message();
    } catch (const std::bad_alloc&) {
      complaint = "no memory";  // clients may have used it up
    }
    if (complained != complaint) {
      complained = std::move(complaint);
      std::fprintf(stderr, "service: the database is not ready: %s\n", complained.c_str());
    }
    co_await tare::sleep_for(200ms);
  }
  if (!complained.empty()) std::fputs("service: the database is ready\n", stderr);
}

/// Reads the certificate again on SIGHUP; existing connections keep the old one.
task<> reload_on_hangup(tare::net::tls::context identity) {
  auto hangup = tare::net::signal_set::of({SIGHUP});
  if (!hangup) throw std::system_error(hangup.error(), "waiting for SIGHUP");
  for (;;) {
    const auto came = co_await hangup->next();
    if (!came) co_return;
    const auto loaded = identity.reload();
    std::fprintf(stderr, "service: --tls: %s\n", loaded ? "loaded anew" : loaded.error().message().c_str());
  }
}

tare::http::server_options server_options(bool tls) {
  tare::http::server_options chosen;
  chosen.max_body_bytes = max_item_body_bytes;
  chosen.head_timeout = 10s;
  chosen.body_timeout = 10s;
  chosen.request_timeout = 10s;
  chosen.idle_timeout = 75s;
  // The memory of a connection until it is idle again: a buffer, and the frames of a refused request. The TLS state
  // stays.
  chosen.connection_bytes = std::size_t{tls ? 64U : 16U} << 10U;
  chosen.shed_idle = true;
  chosen.request_bytes = request_bytes;
  // These are served under any load, because they report the load.
  chosen.urgent_paths = {"/healthz", "/metrics"};
  chosen.on_error = [](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& thrown) {
      std::fprintf(stderr, "service: a handler failed: %s\n", thrown.what());
    } catch (...) {
      std::fputs("service: a handler failed\n", stderr);
    }
  };
  return chosen;
}

/// Serves on the current shard until `stopping` is set.
task<> serve(application& app, tare::net::listener listener, std::optional<tare::net::tls::context> tls,
             tare::event& stopping) {
  tare::http::server server(make_routes(app), server_options(tls.has_value()));
  app.servers.at(tare::this_shard()) = &server;
  auto stop = [&]() -> task<> {
    co_await stopping.wait();
    server.stop();
  };
  auto run = [&](tare::scope& s) -> task<> {
    s.spawn(stop());
    tare::net::result<void> ended;
    if (tls) {
      ended = co_await server.serve(std::move(listener), *tls);
    } else {
      ended = co_await server.serve(std::move(listener));
    }
    if (!ended) throw std::system_error(ended.error(), "accepting connections");
  };
  std::exception_ptr error;
  try {
    co_await tare::with_scope(run);
  } catch (...) {
    error = std::current_exception();
  }
  app.servers.at(tare::this_shard()) = nullptr;
  if (error) std::rethrow_exception(error);
}

/// The address to type into curl.
std::string url_of(const tare::net::endpoint& at, bool tls) {
  const std::string scheme = tls ? "https://" : "http://";
  if (at.is_unix()) return "--unix-socket " + at.to_string().substr(5) + ' ' + scheme + "localhost";
  return scheme + at.to_string();
}

task<int> run(tare::runtime& runtime, const options& chosen, tare::db::pool database) {
  auto signals = tare::net::signal_set::of({SIGTERM, SIGINT});
  if (!signals) throw std::system_error(signals.error(), "waiting for signals");

  // The first listener checks whether the address is available; the others share its port.
  const bool one_listener = chosen.listen.is_unix() || chosen.socket_passed;
  const tare::net::listen_options shared{.reuse_port = runtime.shards() > 1 && !one_listener};
  constexpr int first_passed = 3;
  auto first = chosen.socket_passed ? tare::net::listener::adopt(first_passed)
                                    : tare::net::listener::bind(chosen.listen, shared);
  if (!first) {
    std::fprintf(stderr, "service: cannot listen on %s: %s\n",
                 chosen.socket_passed ? "the socket of systemd" : chosen.listen.to_string().c_str(),
                 first.error().message().c_str());
    co_return failed;
  }
  auto bound = first->local();
  if (!bound) throw std::system_error(bound.error(), "asking for the address");
  const tare::net::endpoint address = *bound;

  application app(runtime, catalogue(std::move(database), chosen.database.starts_with("postgres")));
  tare::event stopping;
  auto serve_another = [&]() -> task<> {
    auto another = tare::net::listener::bind(address, shared);
    if (!another) throw std::system_error(another.error(), "listening on another shard");
    co_await serve(app, std::move(*another), chosen.tls, stopping);
  };
  auto wait_for_signal = [&]() -> task<> {
    (void)co_await signals->next();
    std::fputs("service: stopping\n", stderr);
    app.draining = true;
    // A second signal ends the grace period.
    if (chosen.grace.count() > 0) (void)co_await tare::timeout(chosen.grace, signals->next());
    stopping.set();
  };
  auto serve_all = [&](tare::scope& servers) -> task<> {
    const unsigned shards = one_listener ? 1 : runtime.shards();
    for (unsigned shard = 1; shard < shards; ++shard) servers.spawn_on(shard, serve_another());
    servers.spawn(serve(app, std::move(*first), chosen.tls, stopping));
    servers.spawn(wait_for_signal());
    const std::string url = url_of(address, chosen.tls.has_value());
    std::printf("listening on %s\n", url.c_str());
    if (chosen.seed) std::printf("try: curl -s %s/items/1\n", url.c_str());
    std::fflush(stdout);
    co_return;
  };
  auto prepare_and_serve = [&](tare::scope& preparing) -> task<> {
    preparing.spawn(prepare(app, chosen.seed));
    if (chosen.tls) preparing.spawn(reload_on_hangup(*chosen.tls));
    co_await tare::with_scope(serve_all);
    preparing.cancel();
  };
  co_await tare::with_scope(prepare_and_serve);
  co_await app.items.database().close();
  co_return 0;
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
