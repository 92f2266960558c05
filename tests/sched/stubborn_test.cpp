// Tasks that continue to await although they have been cancelled: every await is refused, and no such task may stop the
// shard.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

TEST(stubborn, a_cancellation_is_no_std_exception) {
  EXPECT_FALSE((std::is_base_of_v<std::exception, tare::cancelled>));
  EXPECT_STREQ(tare::cancelled().what(), "the task was cancelled");
}

struct things {
  tare::event never;
  tare::semaphore none{0};
  tare::mutex locked;
  tare::byte_budget no_bytes{1};
  tare::byte_budget::share all_bytes = no_bytes.try_acquire(1);
  tare::channel<int> empty{0};
  tare::oneshot<int> unsent;
  tare::latch closed{1};
};

struct kind_of_await {
  std::string name;
  std::function<task<>(things&)> once;
};

task<> never_ends(tare::event& on) { co_await on.wait(); }

task<> waits_in_a_scope(tare::event& on) {
  tare::scope s;
  s.spawn(never_ends(on));
  co_await s.join();
}

std::vector<kind_of_await> kinds() {
  return {
      {"sleep", [](things&) -> task<> { co_await tare::sleep_for(1h); }},
      {"sleep_until", [](things&) -> task<> { co_await tare::sleep_until(tare::now() + 1h); }},
      {"yield", [](things&) -> task<> { co_await tare::yield(); }},
      {"event", [](things& of) -> task<> { co_await of.never.wait(); }},
      {"latch", [](things& of) -> task<> { co_await of.closed.wait(); }},
      {"semaphore", [](things& of) -> task<> { (void)co_await of.none.acquire(); }},
      {"mutex", [](things& of) -> task<> { (void)co_await of.locked.lock(); }},
      {"byte_budget", [](things& of) -> task<> { (void)co_await of.no_bytes.acquire(1); }},
      {"send", [](things& of) -> task<> { (void)co_await of.empty.send(1); }},
      {"receive", [](things& of) -> task<> { (void)co_await of.empty.receive(); }},
      {"oneshot", [](things& of) -> task<> { (void)co_await of.unsent.receive(); }},
      {"offload", [](things&) -> task<> { co_await tare::offload([] {}); }},
      {"when_all", [](things& of) -> task<> { co_await tare::when_all(never_ends(of.never)); }},
      {"when_any", [](things& of) -> task<> { (void)co_await tare::when_any(never_ends(of.never)); }},
      {"timeout", [](things& of) -> task<> { (void)co_await tare::timeout(1h, never_ends(of.never)); }},
      {"scope", [](things& of) -> task<> { co_await waits_in_a_scope(of.never); }},
  };
}

constexpr int turns_of_the_sibling = 50;
constexpr int max_catches = 100'000;

struct progress {
  int caught = 0;
  int turns = 0;
  bool sibling_was_done = false;
};

/// Cancelled at its first await; from then on it catches until the sibling has had its turns. Each kind is awaited
/// directly, without the step that a child takes. The first await may be one that ends as if it had not been cancelled
/// (offload), and may end only after the sibling.
task<> catches_for_ever(things& of, const kind_of_await& kind, progress& made) {
  while ((made.turns < turns_of_the_sibling || made.caught == 0) && made.caught < max_catches) {
    try {
      co_await kind.once(of);
    } catch (...) {
      ++made.caught;
    }
  }
  made.sibling_was_done = made.turns == turns_of_the_sibling;
}

task<> sibling(progress& made) {
  for (int i = 0; i < turns_of_the_sibling; ++i) {
    co_await tare::yield();
    ++made.turns;
  }
}

TEST(stubborn, no_kind_of_await_stops_the_shard) {
  for (const kind_of_await& kind : kinds()) {
    things of;
    progress made;
    auto body = [&](tare::scope& s) -> task<> {
      auto holder = co_await of.locked.lock();
      tare::scope stubborn;
      stubborn.spawn(catches_for_ever(of, kind, made));
      co_await tare::yield();  // it has begun
      stubborn.cancel();
      s.spawn(sibling(made));
      co_await tare::shield([](tare::scope& joined) -> task<> { co_await joined.join(); }(stubborn));
    };
    tare::run([](auto& in) -> task<> { co_await tare::with_scope(in); }(body));
    EXPECT_TRUE(made.sibling_was_done) << kind.name << ": " << made.turns << " turns in " << made.caught << " catches";
    EXPECT_GT(made.caught, 0) << kind.name;
  }
}

// The awaiters themselves, in one frame: starting a child is a step, which would hide a refusal that is not counted as
// one.
template <class Once>
task<> catches_in_one_frame(Once once, progress& made) {
  while (made.turns < turns_of_the_sibling && made.caught < max_catches) {
    try {
      (void)co_await once();
    } catch (...) {
      ++made.caught;
    }
  }
  made.sibling_was_done = made.turns == turns_of_the_sibling;
}

template <class Once>
progress in_one_frame(Once once) {
  progress made;
  auto body = [&](tare::scope& s) -> task<> {
    tare::scope stubborn;
    stubborn.spawn(catches_in_one_frame(once, made));
    co_await tare::yield();
    stubborn.cancel();
    s.spawn(sibling(made));
    co_await tare::shield([](tare::scope& joined) -> task<> { co_await joined.join(); }(stubborn));
  };
  tare::run([](auto& in) -> task<> { co_await tare::with_scope(in); }(body));
  return made;
}

TEST(stubborn, no_awaiter_stops_the_shard) {
  things of;
  EXPECT_TRUE(in_one_frame([] { return tare::sleep_for(1h); }).sibling_was_done);
  EXPECT_TRUE(in_one_frame([] { return tare::yield(); }).sibling_was_done);
  EXPECT_TRUE(in_one_frame([&] { return of.never.wait(); }).sibling_was_done);
  EXPECT_TRUE(in_one_frame([&] { return of.closed.wait(); }).sibling_was_done);
  EXPECT_TRUE(in_one_frame([&] { return of.none.acquire(); }).sibling_was_done);
  EXPECT_TRUE(in_one_frame([&] { return of.no_bytes.acquire(1); }).sibling_was_done);
  EXPECT_TRUE(in_one_frame([&] { return of.empty.send(1); }).sibling_was_done);
  EXPECT_TRUE(in_one_frame([&] { return of.empty.receive(); }).sibling_was_done);
  EXPECT_TRUE(in_one_frame([&] { return of.unsent.receive(); }).sibling_was_done);
  EXPECT_TRUE(in_one_frame([] { return tare::offload([] {}); }).sibling_was_done);
}

TEST(stubborn, a_loop_that_logs_errors_ends_when_it_is_cancelled) {
  int logged = 0;
  tare::channel<int> jobs(1);
  auto worker = [](tare::channel<int>& from, int& errors) -> task<> {
    for (int i = 0; i < max_catches; ++i) {
      try {
        if (*co_await from.receive() == 0) throw std::runtime_error("a bad job");
      } catch (const std::exception&) {
        ++errors;
      }
    }
  };
  auto body = [&]() -> task<bool> {
    (void)co_await jobs.send(0);
    const auto ended = co_await tare::timeout(20ms, worker(jobs, logged));
    co_return !ended.has_value();
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  EXPECT_TRUE(rt.run(body()));
  EXPECT_EQ(logged, 1);
}

TEST(stubborn, a_runtime_ends_when_its_stubborn_tasks_have) {
  int caught = 0;
  int siblings_ended = 0;
  auto stubborn = [](int& count) -> task<> {
    while (count < 10'000) {
      try {
        co_await tare::sleep_for(1h);
      } catch (...) {
        ++count;
      }
    }
  };
  // It gets its turn to clean up although the other one has not ended.
  auto cleans_up = [](const int& count, int& ended) -> task<> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {
      if (count < 10'000) ++ended;
    }
  };
  auto body = [&]() -> task<> {
    tare::spawn(stubborn(caught));
    tare::spawn(cleans_up(caught, siblings_ended));
    co_await tare::yield();
  };
  {
    tare::runtime rt;
    rt.run(body());
  }
  EXPECT_EQ(caught, 10'000);
  EXPECT_EQ(siblings_ended, 1);
}

}  // namespace
