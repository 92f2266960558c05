// Runtimes that are created, used and destroyed by tasks of another runtime: afterwards, the thread's state is as
// before.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;

task<int> seven() { co_return 7; }
task<> sleeps(std::chrono::nanoseconds time) { co_await tare::sleep_for(time); }

/// Uses everything of the current shard that depends on the thread: queue, timers, frames, primitives, other shards.
task<> use_the_shard(unsigned shards) {
  const tare::shard_id here = tare::this_shard();
  co_await tare::yield();
  co_await tare::sleep_for(1ms);
  EXPECT_EQ(co_await seven(), 7);
  tare::mutex m;
  {
    const auto guard = co_await m.lock();
  }
  co_await tare::with_scope([](tare::scope& s) -> task<> {
    for (int i = 0; i < 100; ++i) s.spawn(sleeps(1ms));
    co_return;
  });
  co_await tare::resume_on((here + 1) % shards);
  co_await tare::resume_on(here);
  EXPECT_EQ(tare::this_shard(), here);
}

class nested_runtime : public testing::TestWithParam<unsigned> {
 protected:
  /// Runs the task `inner(body)` on the last shard of a runtime, and checks that the shard's state is as before.
  template <class Body>
  void run(Body body) {
    const unsigned shards = GetParam();
    tare::runtime rt({.shards = shards});
    auto outer = [&]() -> task<> {
      co_await tare::resume_on(shards - 1);
      body();
      co_await use_the_shard(shards);
    };
    rt.run(outer());
    EXPECT_EQ(rt.run(seven()), 7) << "the thread must be free again";
  }
};

TEST_P(nested_runtime, run_in_a_task_is_refused_before_anything_is_made) {
  run([] { EXPECT_THROW(tare::run(seven()), std::logic_error); });
}

TEST_P(nested_runtime, run_of_another_runtime_in_a_task_is_refused) {
  run([] {
    tare::runtime other;
    EXPECT_THROW(other.run(seven()), std::logic_error);
  });
}

TEST_P(nested_runtime, may_be_made_and_destroyed_unused) {
  run([] { const tare::runtime other({.shards = 2}); });
}

TEST_P(nested_runtime, may_end_with_tasks_that_run) {
  run([] {
    tare::runtime other({.shards = 2});
    for (tare::shard_id at : {0U, 1U}) other.spawn_on(at, sleeps(1h));
  });
}

TEST_P(nested_runtime, may_end_by_an_exception) {
  run([] {
    const auto fails = [] {
      tare::runtime other;
      other.spawn_on(0, sleeps(1h));
      throw std::runtime_error("the task's");
    };
    EXPECT_THROW(fails(), std::runtime_error);
  });
}

TEST_P(nested_runtime, may_be_two_deep) {
  bool deepest = false;
  auto makes_another = [&]() -> task<> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {
      {
        tare::runtime inner({.shards = 2});
        inner.spawn_on(1, sleeps(1h));
      }
      EXPECT_THROW(tare::run(seven()), std::logic_error);
      deepest = true;
    }
  };
  auto starts = [&]() -> task<> {
    tare::spawn(makes_another());
    co_await tare::yield();
  };
  auto other = std::make_unique<tare::runtime>();
  other->run(starts());
  run([&] { other.reset(); });
  EXPECT_TRUE(deepest);
}

TEST_P(nested_runtime, may_be_made_by_one_task_and_destroyed_by_another) {
  auto kept = std::make_unique<tare::runtime>(tare::runtime_options{.shards = 2});
  kept->spawn_on(1, sleeps(1h));
  run([&] { kept.reset(); });
}

TEST_P(nested_runtime, may_be_driven_by_a_thread_that_a_task_waits_for) {
  run([] { std::thread([] { EXPECT_EQ(tare::run(seven()), 7); }).join(); });
}

INSTANTIATE_TEST_SUITE_P(on_shards, nested_runtime, testing::Values(1U, 2U));

}  // namespace
