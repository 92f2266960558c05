// Tasks that go on although they have been cancelled, or although every call fails: whatever they await, the other tasks
// of their shard run.

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
  tare::net::listener quiet;
  tare::net::udp_socket silent;
};

struct kind_of_await {
  std::string name;
  std::function<task<>(awaited_things&)> once;
};

task<> never_ends(tare::event& on) { co_await on.wait(); }

task<> join_a_scope(tare::event& on) {
  tare::scope s;
  s.spawn(never_ends(on));
  co_await s.join();
}

std::vector<kind_of_await> kinds_of_core() {
  using of_all = awaited_things;
  return {
      {"sleep", [](of_all&) -> task<> { co_await tare::sleep_for(1h); }},
      {"yield", [](of_all&) -> task<> { co_await tare::yield(); }},
      {"checkpoint", [](of_all&) -> task<> { co_await tare::checkpoint(); }},
      {"event", [](of_all& of) -> task<> { co_await of.never.wait(); }},
      {"semaphore", [](of_all& of) -> task<> { (void)co_await of.none.acquire(); }},
      {"a timed semaphore", [](of_all& of) -> task<> { (void)co_await of.none.try_acquire_for(1h); }},
      {"mutex", [](of_all& of) -> task<> { (void)co_await of.locked.lock(); }},
      {"bytes", [](of_all& of) -> task<> { (void)co_await of.no_bytes.acquire(1); }},
      {"send", [](of_all& of) -> task<> { (void)co_await of.empty.send(1); }},
      {"receive", [](of_all& of) -> task<> { (void)co_await of.empty.receive(); }},
      {"oneshot", [](of_all& of) -> task<> { (void)co_await of.halves.receiver.receive(); }},
      {"offload", [](of_all&) -> task<> { co_await tare::offload([] {}); }},
      {"select", [](of_all& of) -> task<> { (void)co_await tare::select(of.empty.receive(), tare::sleep_for(1h)); }},
      {"when_all", [](of_all& of) -> task<> { co_await tare::when_all(never_ends(of.never)); }},
      {"timeout", [](of_all& of) -> task<> { (void)co_await tare::timeout(1h, never_ends(of.never)); }},
      {"scope", [](of_all& of) -> task<> { co_await join_a_scope(of.never); }},
  };
}

std::vector<kind_of_await> kinds_of_net() {
  using of_all = awaited_things;
  return {
      {"read", [](of_all& of) -> task<> { (void)co_await of.open.read(); }},
      {"readable", [](of_all& of) -> task<> { (void)co_await of.open.readable(); }},
      {"write_some", [](of_all& of) -> task<> { (void)co_await of.open.write_some(bytes_of("x")); }},
      {"read of a closed stream", [](of_all& of) -> task<> { (void)co_await of.closed.read(); }},
      {"write of a closed stream", [](of_all& of) -> task<> { (void)co_await of.closed.write_some(bytes_of("x")); }},
      {"readable of a closed stream", [](of_all& of) -> task<> { (void)co_await of.closed.readable(); }},
      {"accept", [](of_all& of) -> task<> { (void)co_await of.quiet.accept(); }},
      {"connect",
       [](of_all&) -> task<> { (void)co_await tare::net::connect(tare::net::endpoint::parse("10.9.9.9:9").value()); }},
  };
}

constexpr int wanted_turns = 50;
constexpr int max_repeats = 50'000;

struct turns {
  int repeated = 0;
  int sibling = 0;
};

/// Until the sibling has had its turns. In one frame: each child would be a step.
task<> repeat(const kind_of_await& kind, awaited_things& of, turns& had) {
  while (had.sibling < wanted_turns && had.repeated < max_repeats) {
    ++had.repeated;
    try {
      co_await kind.once(of);
    } catch (...) {  // NOLINT(bugprone-empty-catch): stubborn
    }
  }
}

task<> take_turns(turns& had) {
  for (; had.sibling < wanted_turns; ++had.sibling) co_await tare::yield();
}

task<> set_up(awaited_things& of) {
  auto ends = tare::net::stream::pair();
  of.open = std::move(ends->first);
  of.peer = std::move(ends->second);
  of.quiet = tare::net::listener::bind(tare::net::endpoint::any(80)).value();
  co_return;
}

task<> be_stubborn(const kind_of_await& kind, bool cancelled) {
  awaited_things of;
  co_await set_up(of);
  auto held = co_await of.locked.lock();
  turns had;
  tare::scope stubborn;
  stubborn.spawn(repeat(kind, of, had));
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
    if (kind.name.find("closed") == std::string::npos) continue;
    tare::sim::run({.twice = false}, [&](world& /*w*/) -> task<> { co_await be_stubborn(kind, false); });
  }
}

/// What many loops do: they log an error and go on. A cancellation must pass them.
TEST(sim_stubborn, a_loop_that_logs_errors_ends_when_it_is_cancelled) {
  for (const kind_of_await& kind : kinds_of_core()) {
    if (kind.name == "offload") continue;  // ends as if it had not been cancelled
    tare::sim::run({.twice = false}, [&](world& /*w*/) -> task<> {
      awaited_things of;
      co_await set_up(of);
      auto held = co_await of.locked.lock();
      int logged = 0;
      tare::scope s;
      s.spawn([&]() -> task<> {
        for (; logged < 100; ++logged) {
          try {
            co_await kind.once(of);
          } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): logged
          }
        }
      });
      co_await tare::yield();
      s.cancel();
      co_await s.join();
      EXPECT_LT(logged, 100) << kind.name;
    });
  }
}

}  // namespace
