// The cost of individual task operations. Each has a counterpart of the same name in asio.cpp, except what Asio does
// not have.

#include <tare/tare.hpp>
#ifdef TARE_AWAIT_TABLE
#include <tare/symbols.hpp>
#endif

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <string>

namespace {

using tare::task;
constexpr int crowd = 10'000;

task<int> answer(int n) { co_return n; }

task<> await_child_loop(benchmark::State& state) {
  int n = 0;
  for (auto _ : state) n = co_await answer(n);
  benchmark::DoNotOptimize(n);
}

tare::value_or_task<int> answer_at_once(int n) {
  if (n < 0) return answer(n);
  return n;
}

task<> await_value_loop(benchmark::State& state) {
  int n = 0;
  for (auto _ : state) n = co_await answer_at_once(n);
  benchmark::DoNotOptimize(n);
}

task<> yield_loop(benchmark::State& state) {
  for (auto _ : state) co_await tare::yield();
}

task<> lock_loop(benchmark::State& state) {
  tare::mutex m;
  for (auto _ : state) {
    auto guard = co_await m.lock();
    benchmark::DoNotOptimize(guard);
  }
}

task<> channel_loop(benchmark::State& state) {
  tare::channel<int> numbers(1);
  for (auto _ : state) {
    (void)co_await numbers.send(1);
    benchmark::DoNotOptimize(co_await numbers.receive());
  }
}

/// The second of two channels has a value; with which to compare: a receive from a channel that has one.
task<> receive_ready_loop(benchmark::State& state) {
  tare::channel<int> numbers(1);
  for (auto _ : state) {
    int value = 1;
    (void)numbers.try_send(value);
    benchmark::DoNotOptimize(co_await numbers.receive());
  }
}

task<> select_ready_loop(benchmark::State& state) {
  tare::channel<int> empty(1);
  tare::channel<int> numbers(1);
  for (auto _ : state) {
    int value = 1;
    (void)numbers.try_send(value);
    auto got = co_await tare::select(empty.receive(), numbers.receive());
    benchmark::DoNotOptimize(got);
  }
}

task<> send_for_ever(tare::channel<int>& into) {
  for (int i = 0;; ++i) (void)co_await into.send(i);
}

/// Waits each time until another task sends.
task<> receive_waits_loop(benchmark::State& state, tare::scope& with) {
  tare::channel<int> numbers(0);
  with.spawn(send_for_ever(numbers));
  for (auto _ : state) benchmark::DoNotOptimize(co_await numbers.receive());
  with.cancel();
  co_await with.join();
}

task<> select_waits_loop(benchmark::State& state, tare::scope& with) {
  tare::channel<int> empty(0);
  tare::channel<int> numbers(0);
  with.spawn(send_for_ever(numbers));
  for (auto _ : state) {
    auto got = co_await tare::select(empty.receive(), numbers.receive());
    benchmark::DoNotOptimize(got);
  }
  with.cancel();
  co_await with.join();
}

task<> with_sender(benchmark::State& state, task<> (*loop)(benchmark::State&, tare::scope&)) {
  tare::scope senders;
  co_await loop(state, senders);
}

struct kilobyte {
  std::array<std::byte, 1024> bytes{};
};

task<> receive_one(tare::broadcast<kilobyte>::receiver from, tare::latch& got) {
  const auto value = co_await from.receive();
  benchmark::DoNotOptimize(value);
  got.count_down();
}

task<> sleep_and_count(tare::latch& woken) {
  co_await tare::sleep_for(std::chrono::milliseconds(100));
  woken.count_down();
}

/// One value to a crowd of waiting receivers; with which to compare: a crowd of sleepers that wake.
task<> fan_out_loop(benchmark::State& state) {
  using clock = std::chrono::steady_clock;
  const auto receivers = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    tare::broadcast<kilobyte> news(1);
    tare::latch got(receivers);
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (std::size_t i = 0; i < receivers; ++i) s.spawn(receive_one(news.subscribe(), got));
      for (int i = 0; i < 3; ++i) co_await tare::yield();
      const auto start = clock::now();
      (void)co_await news.send(kilobyte());
      co_await got.wait();
      state.SetIterationTime(std::chrono::duration<double>(clock::now() - start).count());
    });
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// In virtual time, so that from the jump to the end nothing else is measured.
task<> wake_sleepers_loop(benchmark::State& state) {
  using clock = std::chrono::steady_clock;
  const auto sleepers = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    tare::latch woken(sleepers);
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (std::size_t i = 0; i < sleepers; ++i) s.spawn(sleep_and_count(woken));
      for (int i = 0; i < 3; ++i) co_await tare::yield();
      const auto start = clock::now();
      co_await woken.wait();
      state.SetIterationTime(std::chrono::duration<double>(clock::now() - start).count());
    });
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// From the call to the first suspension or, in another benchmark, from there to the end.
task<> crowd_loop(benchmark::State& state, bool of_their_start) {
  using clock = std::chrono::steady_clock;
  for (auto _ : state) {
    tare::event end;
    tare::latch ended(crowd);
    const auto start = clock::now();
    for (int i = 0; i < crowd; ++i) {
      tare::spawn([](tare::event& on, tare::latch& count) -> task<> {
        co_await on.wait();
        count.count_down();
      }(end, ended));
    }
    co_await tare::yield();
    const auto parked = clock::now();
    end.set();
    co_await ended.wait();
    const auto done = clock::now();
    state.SetIterationTime(std::chrono::duration<double>(of_their_start ? parked - start : done - parked).count());
  }
  state.SetItemsProcessed(state.iterations() * crowd);
}

task<> echo(tare::channel<int>& in, tare::channel<int>& out) {
  while (auto n = co_await in.receive()) (void)co_await out.send(*n);
}

task<> ping_pong_loop(benchmark::State& state) {
  tare::channel<int> there(1);
  tare::channel<int> back(1);
  co_await tare::with_scope([&](tare::scope& s) -> task<> {
    s.spawn_on(1, echo(there, back));
    for (auto _ : state) {
      (void)co_await there.send(1);
      benchmark::DoNotOptimize(co_await back.receive());
    }
    there.close();
  });
}

/// How long the shard is blocked, in total and at a time.
task<> snapshot_loop(benchmark::State& state, const tare::await_table* awaits) {
  tare::snapshot_options options;
  options.awaits = awaits;
  const auto asleep = static_cast<int>(state.range(0));
  std::chrono::nanoseconds longest{0};
  co_await tare::with_scope([&](tare::scope& s) -> task<> {
    auto sleeps = []() -> task<> { co_await tare::sleep_for(std::chrono::hours(1)); };
    for (int i = 0; i < asleep; ++i) s.spawn(sleeps());
    co_await tare::yield();
    for (auto _ : state) {
      const tare::task_snapshot seen = co_await tare::snapshot(options);
      longest = std::max(longest, seen.longest_pause());
    }
    s.cancel();
  });
  state.SetItemsProcessed(state.iterations() * asleep);
  state.counters["longest_pause_us"] = std::chrono::duration<double, std::micro>(longest).count();
}

void await_child(benchmark::State& state) { tare::run(await_child_loop(state)); }
void await_value(benchmark::State& state) { tare::run(await_value_loop(state)); }
void broadcast_fan_out(benchmark::State& state) { tare::run(fan_out_loop(state)); }
void wake_sleepers(benchmark::State& state) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(wake_sleepers_loop(state));
}
void yield(benchmark::State& state) { tare::run(yield_loop(state)); }
void receive_ready(benchmark::State& state) { tare::run(receive_ready_loop(state)); }
void select_ready(benchmark::State& state) { tare::run(select_ready_loop(state)); }
void receive_waits(benchmark::State& state) { tare::run(with_sender(state, &receive_waits_loop)); }
void select_waits(benchmark::State& state) { tare::run(with_sender(state, &select_waits_loop)); }
void lock_unlock(benchmark::State& state) { tare::run(lock_loop(state)); }
void channel_send_receive(benchmark::State& state) { tare::run(channel_loop(state)); }
void spawn_to_suspension(benchmark::State& state) { tare::run(crowd_loop(state, true)); }
void wake_to_end(benchmark::State& state) { tare::run(crowd_loop(state, false)); }
void cross_shard_ping_pong(benchmark::State& state) {
  tare::runtime rt({.shards = 2});
  rt.run(ping_pong_loop(state));
}
void snapshot(benchmark::State& state) { tare::run(snapshot_loop(state, nullptr)); }
#ifdef TARE_AWAIT_TABLE
void snapshot_by_await(benchmark::State& state) {
  const tare::program_awaits known = tare::read_awaits();
  for (const std::string& note : known.notes) state.SkipWithError(note.c_str());
  tare::run(snapshot_loop(state, &known.table));
}
/// Each iteration reads the section and frees everything.
void read_awaits(benchmark::State& state) {
  std::size_t coroutines = 0;
  for (auto _ : state) coroutines = tare::read_awaits().table.coroutines();
  state.counters["coroutines"] = static_cast<double>(coroutines);
}
#endif

BENCHMARK(await_child)->Name("await_child/tare");
BENCHMARK(await_value)->Name("await_value/tare");
BENCHMARK(broadcast_fan_out)->Name("broadcast_fan_out/tare")->Arg(100'000)->UseManualTime();
BENCHMARK(wake_sleepers)->Name("wake_sleepers/tare")->Arg(100'000)->UseManualTime();
BENCHMARK(yield)->Name("yield/tare");
BENCHMARK(receive_ready)->Name("receive_ready/tare");
BENCHMARK(select_ready)->Name("select_ready/tare");
BENCHMARK(receive_waits)->Name("receive_waits/tare");
BENCHMARK(select_waits)->Name("select_waits/tare");
BENCHMARK(lock_unlock)->Name("lock_unlock/tare");
BENCHMARK(channel_send_receive)->Name("channel_send_receive/tare");
BENCHMARK(spawn_to_suspension)->Name("spawn_to_suspension/tare")->UseManualTime();
BENCHMARK(wake_to_end)->Name("wake_to_end/tare")->UseManualTime();
BENCHMARK(cross_shard_ping_pong)->Name("cross_shard_ping_pong/tare")->UseRealTime();
BENCHMARK(snapshot)->Name("snapshot/tare")->Arg(10'000)->Arg(1'000'000);
#ifdef TARE_AWAIT_TABLE
BENCHMARK(snapshot_by_await)->Name("snapshot_by_await/tare")->Arg(10'000)->Arg(1'000'000);
BENCHMARK(read_awaits)->Name("read_awaits/tare");
#endif

}  // namespace
