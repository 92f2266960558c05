// Tasks that go on although they have been cancelled, or although every call fails: whatever they await, the other
// tasks of their shard run.

#include "sim/echo.hpp"

#include <functional>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;
using tare::testing::bytes_of;

struct awaited_things {
  tare::event never;
  tare::semaphore none{0};
  tare::mutex locked;
  tare::channel<int> empty{0};
  tare::oneshot_halves<int> halves = tare::make_oneshot<int>();
  tare::byte_budget no_bytes{1};
  tare::byte_budget::share all_bytes = no_bytes.try_acquire(1);
  tare::net::stream open;
  tare::net::stream peer;
  tare::net::stream closed;
  tare::net::stream broken;
  tare::net::listener quiet;
};

constexpr int wanted_turns = 50;
constexpr int max_repeats = 50'000;

struct turns {
  int repeated = 0;
  int sibling = 0;
};

/// Awaits until the sibling has had its turns. The awaitable itself is in this frame: a child would be a step.
template <class Make>
task<> repeat(Make make, awaited_things& of, turns& had) {
  while (had.sibling < wanted_turns && had.repeated < max_repeats) {
    ++had.repeated;
    try {
      (void)co_await make(of);
    } catch (...) {  // NOLINT(bugprone-empty-catch): stubborn
    }
  }
}

/// A loop that logs errors and goes on.
template <class Make>
task<> repeat_and_log(Make make, awaited_things& of, int& logged) {
  for (; logged < 100; ++logged) {
    try {
      (void)co_await make(of);
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): logged
    }
  }
}

struct kind_of_await {
  std::string name;
  std::function<task<>(awaited_things&, turns&)> repeated;
  std::function<task<>(awaited_things&, int&)> logged;
};

template <class Make>
kind_of_await kind(const std::string& name, Make make) {
  return {.name = name,
          .repeated = [make](awaited_things& of, turns& had) { return repeat(make, of, had); },
          .logged = [make](awaited_things& of, int& count) { return repeat_and_log(make, of, count); }};
}

task<> never_ends(tare::event& on) { co_await on.wait(); }

task<> join_a_scope(tare::event& on) {
  tare::scope s;
  s.spawn(never_ends(on));
  co_await s.join();
}

std::vector<kind_of_await> kinds_of_core() {
  using things = awaited_things;
  return {
      kind("sleep", [](things&) { return tare::sleep_for(1h); }),
      kind("yield", [](things&) { return tare::yield(); }),
      kind("checkpoint", [](things&) { return tare::checkpoint(); }),
      kind("event", [](things& of) { return of.never.wait(); }),
      kind("semaphore", [](things& of) { return of.none.acquire(); }),
      kind("a timed semaphore", [](things& of) { return of.none.try_acquire_for(1h); }),
      kind("mutex", [](things& of) { return of.locked.lock(); }),
      kind("bytes", [](things& of) { return of.no_bytes.acquire(1); }),
      kind("send", [](things& of) { return of.empty.send(1); }),
      kind("receive", [](things& of) { return of.empty.receive(); }),
      kind("oneshot", [](things& of) { return of.halves.receiver.receive(); }),
      kind("offload", [](things&) { return tare::offload([] {}); }),
      kind("select", [](things& of) { return tare::select(of.empty.receive(), tare::sleep_for(1h)); }),
      kind("when_all", [](things& of) { return tare::when_all(never_ends(of.never)); }),
      kind("timeout", [](things& of) { return tare::timeout(1h, never_ends(of.never)); }),
      kind("scope", [](things& of) { return join_a_scope(of.never); }),
  };
}

std::vector<kind_of_await> kinds_of_net() {
  using things = awaited_things;
  return {
      kind("read", [](things& of) { return of.open.read(); }),
      kind("readable", [](things& of) { return of.open.readable(); }),
      kind("write_some", [](things& of) { return of.open.write_some(bytes_of("x")); }),
      kind("read of a closed stream", [](things& of) { return of.closed.read(); }),
      kind("write of a closed stream", [](things& of) { return of.closed.write_some(bytes_of("x")); }),
      kind("readable of a closed stream", [](things& of) { return of.closed.readable(); }),
      kind("write of a stream whose peer is gone", [](things& of) { return of.broken.write_some(bytes_of("x")); }),
      kind("accept", [](things& of) { return of.quiet.accept(); }),
  };
}

task<> take_turns(turns& had) {
  for (; had.sibling < wanted_turns; ++had.sibling) co_await tare::yield();
}

task<> set_up(awaited_things& of) {
  auto ends = tare::net::stream::pair();
  of.open = std::move(ends->first);
  of.peer = std::move(ends->second);
  auto others = tare::net::stream::pair();
  of.broken = std::move(others->first);
  of.quiet = tare::net::listener::bind(tare::net::endpoint::any(80)).value();
  co_return;
}

task<> be_stubborn(const kind_of_await& kind, bool cancelled) {
  awaited_things of;
  co_await set_up(of);
  auto held = co_await of.locked.lock();
  turns had;
  tare::scope stubborn;
  stubborn.spawn(kind.repeated(of, had));
  co_await tare::yield();
  if (cancelled) stubborn.cancel();
  auto others = tare::spawn_handle([&]() -> task<> { co_await take_turns(had); });
  try {
    co_await stubborn.join();
  } catch (...) {
    ADD_FAILURE() << kind.name;
  }
  co_await others;
  EXPECT_LT(had.repeated, max_repeats) << kind.name << ": the other task had " << had.sibling << " turns";
}

TEST(sim_stubborn, a_cancelled_task_that_goes_on_lets_others_run) {
  for (const auto& kinds : {kinds_of_core(), kinds_of_net()}) {
    for (const kind_of_await& kind : kinds) {
      tare::sim::run({.twice = false}, [&](world& /*w*/) -> task<> { co_await be_stubborn(kind, true); });
    }
  }
}

TEST(sim_stubborn, a_loop_over_calls_that_fail_lets_others_run) {
  for (const kind_of_await& kind : kinds_of_net()) {
    if (kind.name.find(" of a ") == std::string::npos) continue;
    tare::sim::run({.twice = false}, [&](world& /*w*/) -> task<> { co_await be_stubborn(kind, false); });
  }
}

/// What many loops do: they log an error and go on. A cancellation must pass them.
TEST(sim_stubborn, a_loop_that_logs_errors_ends_when_it_is_cancelled) {
  for (const kind_of_await& kind : kinds_of_core()) {
    if (kind.name == "offload" || kind.name == "checkpoint") continue;  // need not wait, so it may not be cancelled
    tare::sim::run({.twice = false}, [&](world& /*w*/) -> task<> {
      awaited_things of;
      co_await set_up(of);
      auto held = co_await of.locked.lock();
      int logged = 0;
      tare::scope s;
      s.spawn(kind.logged(of, logged));
      co_await tare::yield();
      s.cancel();
      co_await s.join();
      EXPECT_LT(logged, 100) << kind.name;
    });
  }
}

}  // namespace
