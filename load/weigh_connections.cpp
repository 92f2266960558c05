#include "load/weigh_connections.hpp"

#include "base/proc/cpu_time.hpp"
#include "base/proc/kernel_memory.hpp"
#include "base/proc/process_tree.hpp"
#include "load/crowd.hpp"
#include "load/free_port.hpp"
#include "load/held_database.hpp"
#include "load/until_stopped.hpp"
#include "measure/process/process.hpp"
#include "measure/process/tail.hpp"

#include <tare/net/endpoint.hpp>
#include <tare/net/readiness.hpp>
#include <tare/scope.hpp>
#include <tare/sleep.hpp>
#include <tare/timeout.hpp>

#include <fmt/format.h>

#include <unistd.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tare::load {
namespace {

using base::result;
using measure::connection_kind;
using measure::sample;
using namespace std::chrono_literals;

std::optional<std::int64_t> growth(const std::optional<std::uint64_t>& before,
                                   const std::optional<std::uint64_t>& after) {
  if (!before || !after) return std::nullopt;
  return static_cast<std::int64_t>(*after) - static_cast<std::int64_t>(*before);
}

class weighing {
 public:
  static task<result<sample>> run(const connection_weighing& what, std::uint64_t n, measure::stop_signal stop) {
    const auto port = free_port();
    if (!port) co_return std::unexpected(port.error());
    measure::command program = what.program.with_port(*port);
    std::optional<held_database> database;
    if (what.kind == connection_kind::database) {
      auto running = held_database::start(what.database, what.time_limit, stop);
      if (!running) co_return std::unexpected(running.error());
      database.emplace(std::move(*running));
      program.environment.push_back("DATABASE_URL=" + database->url());
    }
    auto started = measure::process::start(program);
    if (!started) co_return std::unexpected(started.error());
    weighing weighing(what, n, std::move(*started), database ? &*database : nullptr);
    co_return co_await weighing.weigh(*port);
  }

 private:
  weighing(const connection_weighing& what, std::uint64_t n, measure::process server, held_database* database)
      : what_(what), n_(n), server_(std::move(server)), database_(database) {}

  task<result<sample>> weigh(std::uint16_t port) {
    result<sample> measured = base::interrupted_error();
    co_await with_scope([&](scope& s) -> task<> {
      s.spawn(drain(server_.output(), nullptr));
      s.spawn(drain(server_.errors(), &last_words_));
      s.spawn(notice_the_end(s));
      auto in_time = co_await timeout(what_.total_time_limit, measure(net::endpoint::loopback(port)));
      if (in_time) {
        measured = std::move(*in_time);
      } else {
        measured = failure_of(fmt::format("was not measured within {} s", seconds(what_.total_time_limit)));
      }
      s.cancel();
    });
    if (ended_) co_return failure_of("ended while its connections were weighed");
    co_return measured;
  }

  /// A server must not block because its log output is not read.
  static task<> drain(const base::file_descriptor& from, measure::tail* kept) {
    std::array<char, 4096> buffer;
    while (co_await net::wait_readable(from.get())) {
      const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
      if (got == 0) co_return;
      if (got > 0 && kept != nullptr) kept->feed({buffer.data(), static_cast<std::size_t>(got)});
    }
  }

  task<> notice_the_end(scope& all) {
    (void)co_await net::wait_readable(server_.exit_report().get());
    co_await sleep_for(20ms);  // its last output may still be in the pipe
    ended_ = true;
    all.cancel();
  }

  task<result<sample>> measure(net::endpoint server) {
    auto made = target_at(server, database_ != nullptr ? database_->path() : what_.path, what_.tls, what_.kind);
    if (!made) co_return std::unexpected(made.error());
    if (database_ != nullptr) made->body = database_->body();
    const target& what = *made;
    if (auto listening = co_await wait_until_listening(what); !listening) co_return std::unexpected(listening.error());
    if (database_ != nullptr) {
      if (auto held = co_await hold_back(what); !held) co_return std::unexpected(held.error());
    }

    crowd connections(what, {.time_limit = what_.time_limit});
    const auto kernel_before = base::read_kernel_memory();
    const auto cpu_before = cpu();
    const auto began = now();
    if (auto opened = checked(co_await connections.open(n_), "opening"); !opened) {
      co_return std::unexpected(opened.error());
    }
    if (what_.kind == connection_kind::long_poll || database_ != nullptr) {
      // Nothing tells a client that its request has been read.
      if (auto rested = co_await until_at_rest(); !rested) co_return std::unexpected(rested.error());
    }
    sample found{.n = n_, .held = {}, .ready = now() - began, .cpu = cpu() - cpu_before};
    if (auto held = co_await settled(); held) {
      found.held = *held;
    } else {
      co_return std::unexpected(held.error());
    }
    const auto kernel = base::read_kernel_memory();
    found.kernel = {.slab = growth(kernel_before.slab, kernel.slab),
                    .sockets = growth(kernel_before.sockets, kernel.sockets)};
    if (auto idle = checked(connections.look_at_all(), "the end of the rest"); !idle) {
      co_return std::unexpected(idle.error());
    }
    if (can_be_used_again()) {
      auto used = co_await use_again(connections, server);
      if (!used) co_return std::unexpected(used.error());
      found.burst = *used;
    }
    connections.close_all();
    const auto closed = co_await settled();
    if (!closed) co_return std::unexpected(closed.error());
    found.closed = closed->resident;
    co_return found;
  }

  [[nodiscard]] bool can_be_used_again() const noexcept {
    if (what_.kind == connection_kind::long_poll) return !what_.release.empty();
    return what_.kind != connection_kind::sse;
  }

  /// Returns the RSS afterwards.
  task<result<std::uint64_t>> use_again(crowd& connections, net::endpoint server) {
    std::string_view when = "a second request";
    if (database_ != nullptr) {
      when = "the response";
      if (auto released = co_await database_->release(); !released) co_return std::unexpected(released.error());
    } else if (what_.kind == connection_kind::long_poll) {
      when = "the response";
      const auto release = target_at(server, what_.release, what_.tls);
      if (!release) co_return std::unexpected(release.error());
      crowd released_by(*release, {.time_limit = what_.time_limit});
      const tally released = co_await released_by.open(1);
      if (released.failed != 0) {
        co_return failure_of(fmt::format("failed the request to {}: {}", what_.release, released.first));
      }
    } else if (what_.kind == connection_kind::websocket || what_.kind == connection_kind::websocket_tls) {
      when = "more messages";
    }
    const tally counted = co_await connections.ask_all();
    if (auto good = checked(counted, when); !good) co_return std::unexpected(good.error());
    const auto burst = co_await settled();
    if (!burst) co_return std::unexpected(burst.error());
    co_return burst->resident;
  }

  /// Waits until the server responds correctly, so that it has its connections to the database, and locks the table.
  task<result<void>> hold_back(const target& what) {
    target at_once = what;
    at_once.kind = connection_kind::http;
    crowd users(at_once, {.time_limit = what_.time_limit});
    const auto give_up = now() + what_.time_limit;
    for (;;) {
      const tally first = co_await users.open(1);
      if (first.failed == 0) break;
      if (now() >= give_up) co_return failure_of(fmt::format("does not serve the database: {}", first.first));
      co_await sleep_for(50ms);
    }
    constexpr std::size_t user_count = 64;
    constexpr unsigned requests_each = 4;
    if (auto good = checked(co_await users.open(user_count - 1), "warming up"); !good) co_return good;
    for (unsigned i = 0; i < requests_each; ++i) {
      if (auto good = checked(co_await users.ask_all(), "warming up"); !good) co_return good;
    }
    users.close_all();
    co_return co_await database_->lock();
  }

  /// Waits until the server uses no more CPU time.
  task<result<void>> until_at_rest() {
    constexpr auto interval = 100ms;
    constexpr auto background = 5ms;
    const auto give_up = now() + what_.time_limit;
    for (auto before = cpu();;) {
      co_await sleep_for(interval);
      const auto after = cpu();
      if (after - before < background) co_return result<void>();
      if (now() >= give_up) co_return failure_of("does not come to rest while its requests wait");
      before = after;
    }
  }

  task<result<void>> wait_until_listening(const target& what) {
    const auto give_up = now() + what_.time_limit;
    for (;;) {
      const auto first = co_await timeout(give_up - now(), connection::open(what, 0));
      if (first && *first) co_return result<void>();
      if (!first || now() >= give_up) {
        co_return failure_of(fmt::format("does not listen on port {} within {} s: {}", what.address.port(),
                                         seconds(what_.time_limit), first ? first->error() : "no response in time"));
      }
      co_await sleep_for(10ms);
    }
  }

  result<void> checked(const tally& all, std::string_view when) const {
    if (all.failed == 0) return {};
    return failure_of(fmt::format("failed {} of {} connections at {}: {}", all.failed, n_, when, all.first));
  }

  task<result<base::memory>> settled() {
    co_await sleep_for(what_.settling);
    const auto processes = base::descendants(server_.supervisor());
    if (!processes) co_return std::unexpected(processes.error());
    co_return base::read_memory(*processes);
  }

  [[nodiscard]] std::chrono::nanoseconds cpu() const {
    const auto processes = base::descendants(server_.supervisor());
    return processes ? base::read_cpu_time(*processes) : std::chrono::nanoseconds(0);
  }

  [[nodiscard]] static double seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
  }

  [[nodiscard]] std::unexpected<base::error> failure_of(std::string_view happened) const {
    const std::string last = last_words_.last_line();
    return base::command_error(fmt::format("{} {} with n = {}{}{}", what_.program.arguments.front(), happened, n_,
                                           last.empty() ? "" : ": ", last));
  }

  const connection_weighing& what_;
  std::uint64_t n_;
  measure::process server_;
  held_database* database_;  ///< null: none
  measure::tail last_words_;
  bool ended_ = false;
};

}  // namespace

measure::weighed weigh_connections(const connection_weighing& what, measure::stop_signal stop,
                                   const std::function<void(std::uint64_t n)>& progress) {
  measure::weighed all;
  for (const std::uint64_t n : what.counts) {
    if (progress) progress(n);
    auto measured = run_until_stopped(weighing::run(what, n, stop), stop);
    if (!measured) {
      all.failed = measured.error();
    } else if (!*measured) {
      all.failed = measured->error();
    } else {
      all.samples.push_back(**measured);
    }
    if (all.failed) break;
  }
  return all;
}

}  // namespace tare::load
