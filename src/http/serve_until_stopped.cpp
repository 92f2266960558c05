#include <tare/http/serve_until_stopped.hpp>

#include "sched/runtime_core.hpp"
#include "sched/shard.hpp"
#include "sched/usage.hpp"

#include <tare/cancellation.hpp>
#include <tare/error.hpp>
#include <tare/event.hpp>
#include <tare/net/signal_set.hpp>
#include <tare/runtime.hpp>
#include <tare/scope.hpp>
#include <tare/timeout.hpp>

#include <atomic>
#include <csignal>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

namespace tare::http {

namespace {

/// What the text of the metrics holds while it is made.
constexpr std::size_t metrics_bytes = std::size_t{64} << 10U;

void check_path(const std::string& path, const char* name) {
  if (path.empty() || path.front() == '/') return;
  throw std::invalid_argument(std::string("tare::http::serve_options::") + name +
                              " does not begin with a slash: " + path);
}

/// What the servers of all shards share.
class serving {
 public:
  serving(handler handle, serve_options options, std::size_t shards)
      : answer_(std::move(handle)), options_(std::move(options)), servers_(shards) {
    check_path(options_.health_path, "health_path");
    check_path(options_.metrics_path, "metrics_path");
    if (options_.metrics_path.empty() == static_cast<bool>(options_.metrics)) {
      throw std::invalid_argument("tare::http::serve_options: metrics and metrics_path need each other");
    }
    if (options_.health_path.empty() && options_.is_healthy) {
      throw std::invalid_argument("tare::http::serve_options: is_healthy needs health_path");
    }
    // They report the load, so they are served under any load.
    for (const std::string& path : {options_.health_path, options_.metrics_path}) {
      if (!path.empty()) options_.server.urgent_paths.push_back(path);
    }
  }

  task<net::result<void>> run();

 private:
  task<> serve_all(net::listener first, net::endpoint address, bool shares_port);
  task<> serve_another(net::endpoint address, latch& listening);
  task<> serve_here(net::listener listening);
  task<> stop_when_asked(server& here);
  task<> stop_on_signal(net::signal_set signals);
  task<> reload_on_hangup(net::signal_set hangup, net::tls::context identity);

  /// The handler of every server: the pages of its own, and otherwise the user's.
  [[nodiscard]] task<> respond(request& request, response& to);
  [[nodiscard]] task<> send_health(response& to) const;
  [[nodiscard]] task<> send_metrics(request& request, response& to);
  [[nodiscard]] task<> add_figures(serving_figures& sum, std::mutex& guard, shard_id shard);

  [[nodiscard]] net::result<net::listener> listen_first(bool shares_port) const {
    if (options_.adopted_socket) return net::listener::adopt(*options_.adopted_socket);
    return net::listener::bind(options_.listen, {.reuse_port = shares_port});
  }
  void fail(std::error_code error) {
    {
      const std::scoped_lock locked(failure_lock_);
      if (!failure_) failure_ = error;
    }
    stopping_.set();
  }

  handler answer_;
  serve_options options_;
  std::vector<server*> servers_;  ///< by shard; each is used only on its shard
  event stopping_;
  event ending_;  ///< requests in progress get no more time
  std::atomic<bool> is_stopping_ = false;
  std::mutex failure_lock_;
  std::error_code failure_;
};

task<net::result<void>> serving::run() {
  auto signals = net::signal_set::of({SIGTERM, SIGINT});
  if (!signals) co_return std::unexpected(signals.error());
  const bool shares_port = servers_.size() > 1 && !options_.adopted_socket && !options_.listen.is_unix();
  auto first = listen_first(shares_port);
  if (!first) co_return std::unexpected(first.error());
  auto bound = first->local();
  if (!bound) co_return std::unexpected(bound.error());
  std::optional<net::signal_set> hangup;
  if (options_.tls) {
    auto waiting = net::signal_set::of({SIGHUP});
    if (!waiting) co_return std::unexpected(waiting.error());
    hangup.emplace(std::move(*waiting));
  }
  auto serve = [&](scope& beside) -> task<> {
    if (hangup && options_.tls) beside.spawn(reload_on_hangup(std::move(*hangup), *options_.tls));
    beside.spawn(stop_on_signal(std::move(*signals)));
    auto all = serve_all(std::move(*first), *bound, shares_port);
    co_await std::move(all);
    beside.cancel();
  };
  co_await with_scope(serve);
  if (failure_) co_return std::unexpected(failure_);
  co_return net::result<void>();
}

task<> serving::serve_all(net::listener first, net::endpoint address, bool shares_port) {
  const std::size_t others = shares_port ? servers_.size() - 1 : 0;
  latch listening(others);
  auto start = [&](scope& in) -> task<> {
    for (std::size_t shard = 1; shard <= others; ++shard) {
      in.spawn_on(static_cast<shard_id>(shard), serve_another(address, listening));
    }
    co_await listening.wait();
    if (stopping_.is_set()) co_return;
    if (options_.on_listening) options_.on_listening(address);
    auto here = serve_here(std::move(first));
    co_await std::move(here);
  };
  co_await with_scope(start);
}

task<> serving::serve_another(net::endpoint address, latch& listening) {
  auto bound = net::listener::bind(address, {.reuse_port = true});
  if (!bound) fail(bound.error());
  listening.count_down();
  if (!bound) co_return;
  auto here = serve_here(std::move(*bound));
  co_await std::move(here);
}

task<> serving::serve_here(net::listener listening) {
  server here([this](request& request, response& to) { return respond(request, to); }, options_.server);
  servers_.at(this_shard()) = &here;
  auto serve = [&](scope& beside) -> task<> {
    beside.spawn(stop_when_asked(here));
    net::result<void> ended;
    if (options_.tls) {
      ended = co_await here.serve(std::move(listening), *options_.tls);
    } else {
      ended = co_await here.serve(std::move(listening));
    }
    if (!ended) fail(ended.error());
    beside.cancel();
  };
  std::exception_ptr error;
  try {
    co_await with_scope(serve);
  } catch (...) {
    error = std::current_exception();
  }
  servers_.at(this_shard()) = nullptr;
  if (error) std::rethrow_exception(error);
}

task<> serving::stop_when_asked(server& here) {
  co_await stopping_.wait();
  here.stop();
  co_await ending_.wait();
  here.stop(std::chrono::nanoseconds(0));
}

task<> serving::stop_on_signal(net::signal_set signals) {
  const auto first = co_await signals.next();
  if (!first) {
    fail(first.error());
    co_return;
  }
  is_stopping_ = true;
  if (options_.on_stopping) options_.on_stopping();
  if (options_.grace.count() > 0) (void)co_await timeout(options_.grace, signals.next());
  stopping_.set();
  const auto another = co_await signals.next();
  if (another) ending_.set();
}

task<> serving::reload_on_hangup(net::signal_set hangup, net::tls::context identity) {
  for (;;) {
    const auto came = co_await hangup.next();
    if (!came) co_return;
    const net::result<void> reloaded = identity.reload();
    if (options_.on_reloaded) options_.on_reloaded(reloaded);
  }
}

task<> serving::respond(request& request, response& to) {
  const std::string_view path = request.path();
  if (!options_.health_path.empty() && path == options_.health_path) return send_health(to);
  if (!options_.metrics_path.empty() && path == options_.metrics_path) return send_metrics(request, to);
  return answer_(request, to);
}

task<> serving::send_health(response& to) const {
  const char* why = is_stopping_ ? "stopping\n" : "ok\n";
  bool ready = !is_stopping_;
  if (ready && options_.is_healthy) {
    ready = co_await options_.is_healthy();
    if (!ready) why = "not healthy\n";
  }
  (void)co_await to.status(ready ? 200U : 503U).send("text/plain", why);
}

task<> serving::send_metrics(request& request, response& to) {
  const bool fits = co_await request.reserve(metrics_bytes);
  if (!fits) {
    (void)co_await to.status(503).send("text/plain", "no memory\n");
    co_return;
  }
  serving_figures sum{.stopping = is_stopping_};
  std::mutex guard;
  auto ask = [&](scope& in) -> task<> {
    for (std::size_t shard = 0; shard < servers_.size(); ++shard) {
      in.spawn_on(static_cast<shard_id>(shard), add_figures(sum, guard, static_cast<shard_id>(shard)));
    }
    co_return;
  };
  co_await with_scope(ask);
  const std::string text = co_await options_.metrics(sum);
  (void)co_await request.reserve(text.capacity());  // what made it has been freed
  (void)co_await to.send("text/plain; version=0.0.4; charset=utf-8", text);
}

task<> serving::add_figures(serving_figures& sum, std::mutex& guard, shard_id shard) {
  const server* const here = servers_.at(shard);
  if (here == nullptr) co_return;
  const std::scoped_lock locked(guard);
  sum.connections += here->connections();
  sum.active_requests += here->active_requests();
  sum.requests += here->requests();
}

}  // namespace

task<net::result<void>> serve_until_stopped(handler handle, serve_options options) {
  auto& here = tare::detail::shard_for("tare::http::serve_until_stopped");
  serving all(std::move(handle), std::move(options), here.runtime().shard_count());
  auto running = all.run();
  co_return co_await std::move(running);
}

net::result<void> serve_until_stopped(runtime& rt, handler handle, serve_options options) {
  return rt.run(serve_until_stopped(std::move(handle), std::move(options)));
}

}  // namespace tare::http
