// The same with Boost.Asio. It has no mutex for coroutines; users usually use a channel with one token.

#include <benchmark/benchmark.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <thread>

namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using boost::system::error_code;
using channel = asio::experimental::channel<void(error_code, int)>;
using shared_channel = asio::experimental::concurrent_channel<void(error_code, int)>;
constexpr int crowd = 10'000;

awaitable<int> answer(int n) { co_return n; }

awaitable<void> await_child_loop(benchmark::State& state) {
  int n = 0;
  for (auto _ : state) n = co_await answer(n);
  benchmark::DoNotOptimize(n);
}

awaitable<void> yield_loop(benchmark::State& state) {
  const auto executor = co_await asio::this_coro::executor;
  for (auto _ : state) co_await asio::post(executor, use_awaitable);
}

awaitable<void> lock_loop(benchmark::State& state) {
  channel token(co_await asio::this_coro::executor, 1);
  token.try_send(error_code(), 1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(co_await token.async_receive(use_awaitable));
    token.try_send(error_code(), 1);
  }
}

awaitable<void> channel_loop(benchmark::State& state) {
  channel numbers(co_await asio::this_coro::executor, 1);
  for (auto _ : state) {
    co_await numbers.async_send(error_code(), 1, use_awaitable);
    benchmark::DoNotOptimize(co_await numbers.async_receive(use_awaitable));
  }
}

/// In Asio, an event is usually a timer that is cancelled.
awaitable<void> waits(asio::steady_timer& on, int& left, asio::steady_timer& all_ended) {
  error_code cancelled;
  co_await on.async_wait(asio::redirect_error(use_awaitable, cancelled));
  if (--left == 0) all_ended.cancel();
}

awaitable<void> crowd_loop(benchmark::State& state, bool of_their_start) {
  using clock = std::chrono::steady_clock;
  const auto executor = co_await asio::this_coro::executor;
  for (auto _ : state) {
    asio::steady_timer end(executor, clock::time_point::max());
    asio::steady_timer all_ended(executor, clock::time_point::max());
    int left = crowd;
    const auto start = clock::now();
    for (int i = 0; i < crowd; ++i) asio::co_spawn(executor, waits(end, left, all_ended), asio::detached);
    co_await asio::post(executor, use_awaitable);
    const auto parked = clock::now();
    end.cancel();
    error_code cancelled;
    co_await all_ended.async_wait(asio::redirect_error(use_awaitable, cancelled));
    const auto done = clock::now();
    state.SetIterationTime(std::chrono::duration<double>(of_their_start ? parked - start : done - parked).count());
  }
  state.SetItemsProcessed(state.iterations() * crowd);
}

awaitable<void> echo(shared_channel& in, shared_channel& out) {
  for (;;) {
    error_code closed;
    const int n = co_await in.async_receive(asio::redirect_error(use_awaitable, closed));
    if (closed) co_return;
    co_await out.async_send(error_code(), n, use_awaitable);
  }
}

awaitable<void> ping_pong_loop(benchmark::State& state, shared_channel& there, shared_channel& back) {
  for (auto _ : state) {
    co_await there.async_send(error_code(), 1, use_awaitable);
    benchmark::DoNotOptimize(co_await back.async_receive(use_awaitable));
  }
  there.close();
}

void run(awaitable<void> body) {
  asio::io_context context(1);
  asio::co_spawn(context, std::move(body), asio::detached);
  context.run();
}

void await_child(benchmark::State& state) { run(await_child_loop(state)); }
void yield(benchmark::State& state) { run(yield_loop(state)); }
void lock_unlock(benchmark::State& state) { run(lock_loop(state)); }
void channel_send_receive(benchmark::State& state) { run(channel_loop(state)); }
void spawn_to_suspension(benchmark::State& state) { run(crowd_loop(state, true)); }
void wake_to_end(benchmark::State& state) { run(crowd_loop(state, false)); }
void cross_shard_ping_pong(benchmark::State& state) {
  asio::io_context here(1);
  asio::io_context elsewhere(1);
  shared_channel there(elsewhere, 1);
  shared_channel back(here, 1);
  asio::co_spawn(elsewhere, echo(there, back), asio::detached);
  auto work = asio::make_work_guard(elsewhere);
  std::jthread other([&] { elsewhere.run(); });
  asio::co_spawn(here, ping_pong_loop(state, there, back), asio::detached);
  here.run();
  work.reset();
}

BENCHMARK(await_child)->Name("await_child/asio");
BENCHMARK(yield)->Name("yield/asio");
BENCHMARK(lock_unlock)->Name("lock_unlock/asio");
BENCHMARK(channel_send_receive)->Name("channel_send_receive/asio");
BENCHMARK(spawn_to_suspension)->Name("spawn_to_suspension/asio")->UseManualTime();
BENCHMARK(wake_to_end)->Name("wake_to_end/asio")->UseManualTime();
BENCHMARK(cross_shard_ping_pong)->Name("cross_shard_ping_pong/asio")->UseRealTime();

}  // namespace
