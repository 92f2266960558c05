#include "stress/random_world.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace tare::stress {

namespace {

using namespace std::chrono_literals;

// --- primitives ------------------------------------------------------------------------------------------------------

task<> use_permits(world& in, unsigned seed) {
  const alive here(in);
  choices choose(seed);
  const std::size_t wanted = 1 + choose.below(permits);
  const auto permit = co_await in.semaphore.acquire(wanted);
  in.expect(permit.count() == wanted, "acquire returned a wrong number of permits");
  in.expect((in.held += wanted) <= permits, "more permits are held than exist");
  // Held across waits that may be cancelled.
  struct giving_back {
    giving_back(world& here, std::size_t permits_held) : of(here), count(permits_held) {}
    giving_back(const giving_back&) = delete;
    giving_back& operator=(const giving_back&) = delete;
    ~giving_back() { of.held -= count; }
    world& of;
    std::size_t count;
  };
  const giving_back before_release(in, wanted);
  if (choose.one_in(3)) co_await tare::yield();
  if (choose.one_in(6)) co_await tare::sleep_for(choose.short_time());
}

task<> use_mutex(world& in, unsigned seed) {
  const alive here(in);
  choices choose(seed);
  const unsigned which = choose.below(2);
  const auto guard = co_await in.mutexes.at(which).lock();
  const long seen = in.guarded.at(which);
  if (choose.one_in(4)) co_await tare::yield();
  in.guarded.at(which) = seen + 1;
  ++in.counted.at(which);
}

task<> send(world& in) {
  const alive here(in);
  // Counted so that it is right even if the await is abandoned: send throws if and only if the value was not delivered.
  const auto sent = co_await in.channel.send(1);
  if (sent.has_value()) ++in.sent;
}

task<> receive(world& in) {
  const alive here(in);
  const auto got = co_await in.channel.receive();
  if (got.has_value()) ++in.received;
}

/// Ends when another task, a thread, or a cancellation wakes it.
task<> use_event(const place& at, unsigned seed) {
  const alive here(at.all);
  choices choose(seed);
  tare::event happened;
  tare::latch all(2);
  tare::scope setters;
  auto sets = [](world& of, tare::event& on, tare::latch& counted, unsigned delay) -> task<> {
    const alive setter(of);
    // The event must be set, whatever happens to the waiter.
    if (delay % 2 == 0) co_await tare::yield();
    on.set();
    counted.count_down(2);
  };
  setters.spawn_on(choose.below(at.shards), sets(at.all, happened, all, choose.below(4)));
  std::exception_ptr error;
  try {
    co_await happened.wait();
    co_await all.wait();
  } catch (...) {
    error = std::current_exception();
  }
  co_await tare::shield([](tare::scope& of) -> task<> { co_await of.join(); }(setters));
  if (error) std::rethrow_exception(error);
}

task<> waits(tare::event& on) { co_await on.wait(); }

/// An event that the waiter destroys as soon as it has been woken.
task<> use_short_event(world& in) {
  const alive here(in);
  auto happened = std::make_unique<tare::event>();
  in.outside.call([on = happened.get()] { on->set(); });
  co_await tare::shield(waits(*happened));
  happened.reset();
}

task<> use_oneshot(world& in) {
  const alive here(in);
  auto answer = std::make_shared<tare::oneshot<int>>();
  in.outside.call([answer] { answer->send(7); });
  const auto got = co_await answer->receive();
  in.expect(got == 7, "a oneshot delivered a wrong value");
}

// --- tasks that wait for tasks ---------------------------------------------------------------------------------------

task<> fails_at_end(const place& at, unsigned seed, int depth) {
  const alive here(at.all);
  // A flush or a rollback that fails, even when it is cancelled: the join throws this error instead of `cancelled`.
  bool fails = seed % 2 == 0;
  try {
    co_await act(at, seed, depth);
  } catch (const tare::cancelled&) {
    fails = true;
  }
  if (fails) throw failed();
}

task<> cancels(world& in, tare::scope& s) {
  const alive here(in);
  s.cancel();
  co_return;
}

/// A random scope: errors, cancellation from its shard and from other threads, a second round.
task<> use_scope(const place& at, unsigned seed, int depth) {
  const alive here(at.all);
  choices choose(seed);
  tare::scope s(choose.one_in(3) ? tare::on_error::collect : tare::on_error::cancel_siblings);
  const unsigned most = choose.one_in(8) ? 12 : 3;
  for (int round = choose.one_in(4) ? 2 : 1; round > 0; --round) {
    tare::event returned;
    bool cancelled_outside = false;
    try {
      for (unsigned i = choose.below(most); i > 0; --i) {
        const unsigned number = choose.seed();
        task<> child = choose.one_in(5) ? fails_at_end(at, number, depth - 1) : act(at, number, depth - 1);
        s.spawn(std::move(child));
      }
      if (choose.one_in(3)) s.spawn_on(choose.below(at.shards), act(at, choose.seed(), depth - 1));
      if (choose.one_in(6)) s.spawn_on(choose.below(at.shards), cancels(at.all, s));
      if (choose.one_in(6)) {
        cancelled_outside = true;
        at.all.outside.call([&s, &returned] {
          s.cancel();
          returned.set();
        });
      }
      if (choose.one_in(5)) co_await tare::sleep_for(choose.short_time());
      if (choose.one_in(8)) s.cancel();
    } catch (const tare::cancelled&) {
      s.cancel();
    }
    std::exception_ptr cancelled;
    try {
      co_await s.join();
      // NOLINTNEXTLINE(bugprone-empty-catch): some of the tasks fail
    } catch (const failed&) {
      // NOLINTNEXTLINE(bugprone-empty-catch): likewise
    } catch (const tare::error_group&) {
    } catch (...) {
      cancelled = std::current_exception();
    }
    // The scope must exist until the call has returned.
    if (cancelled_outside) co_await tare::shield(waits(returned));
    if (cancelled) std::rethrow_exception(cancelled);
    at.all.expect(s.size() == 0, "join returned while tasks were left");
  }
}

task<> use_with_scope(const place& at, unsigned seed, int depth) {
  const alive here(at.all);
  try {
    co_await tare::with_scope([&at, seed, depth](tare::scope& s) -> task<> {
      choices choose(seed);
      for (unsigned i = choose.below(3); i > 0; --i) s.spawn(fails_at_end(at, choose.seed(), depth - 1));
      co_await act(at, choose.seed(), depth - 1);
      if (choose.one_in(4)) throw failed();
    });
    // NOLINTNEXTLINE(bugprone-empty-catch): it throws at times
  } catch (const failed&) {
  }
}

task<> use_group(const place& at, unsigned seed, int depth) {
  const alive here(at.all);
  choices choose(seed);
  const unsigned form = choose.below(4);
  if (form == 0) co_await tare::when_all(act(at, choose.seed(), depth - 1), act(at, choose.seed(), depth - 1));
  if (form == 1) (void)co_await tare::when_any(act(at, choose.seed(), depth - 1), act(at, choose.seed(), depth - 1));
  if (form < 2) co_return;
  std::vector<task<>> tasks;
  for (unsigned i = 1 + choose.below(4); i > 0; --i) tasks.push_back(act(at, choose.seed(), depth - 1));
  if (form == 2) {
    co_await tare::when_all(std::move(tasks));
  } else {
    (void)co_await tare::when_any(std::move(tasks));
  }
}

task<> use_timeout(const place& at, unsigned seed, int depth) {
  const alive here(at.all);
  choices choose(seed);
  (void)co_await tare::timeout(choose.short_time(), act(at, choose.seed(), depth - 1));
}

/// Inside a shield nothing is cancelled, and no wait is abandoned.
task<> use_shield(world& in, unsigned seed) {
  const alive here(in);
  choices choose(seed);
  bool cancelled = false;
  try {
    if (choose.one_in(2)) {
      co_await tare::shield(use_mutex(in, choose.seed()));
    } else {
      co_await tare::shield(use_permits(in, choose.seed()));
    }
  } catch (const tare::cancelled&) {
    cancelled = true;
  }
  in.expect(!cancelled, "cancelled inside a shield");
}

task<> use_offload(world& in, unsigned seed) {
  const alive here(in);
  choices choose(seed);
  const unsigned spins = choose.below(2000);
  const unsigned got = co_await tare::offload([spins] {
    unsigned sum = 0;
    for (unsigned i = 0; i < spins; ++i) sum += i % 2;
    return sum;
  });
  in.expect(got == spins / 2, "offload returned a wrong value");
}

task<> detached(const place& at, unsigned seed, int depth) {
  const alive here(at.all);
  try {
    co_await act(at, seed, depth);
    // NOLINTNEXTLINE(bugprone-empty-catch): it is to be cancelled
  } catch (const tare::cancelled&) {
  }
}

task<> use_spawn(const place& at, unsigned seed, int depth) {
  const alive here(at.all);
  tare::spawn(detached(at, seed, depth - 1));
  co_return;
}

}  // namespace

task<> one_of(const place& at, unsigned kind, unsigned seed, int depth) {
  switch (kind) {
    case 0:
      return use_permits(at.all, seed);
    case 1:
      return use_mutex(at.all, seed);
    case 2:
      return send(at.all);
    case 3:
      return receive(at.all);
    case 4:
      return use_event(at, seed);
    case 5:
      return use_short_event(at.all);
    case 6:
      return use_oneshot(at.all);
    case 7:
      return use_shield(at.all, seed);
    case 8:
      return use_offload(at.all, seed);
    case 9:
      return use_scope(at, seed, depth);
    case 10:
      return use_with_scope(at, seed, depth);
    case 11:
      return use_group(at, seed, depth);
    case 12:
      return use_timeout(at, seed, depth);
    default:
      return use_spawn(at, seed, depth);
  }
}

}  // namespace tare::stress
