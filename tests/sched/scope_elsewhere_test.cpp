// A scope that is cancelled from another thread than its shard's, in every state.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

enum class canceller : std::uint8_t { member, detached_task, thread, four_threads, other_runtime };
enum class state : std::uint8_t { empty, body_runs, joining, with_error, spawning };

task<> sleeps(std::atomic<int>& cancelled) {
  try {
    co_await tare::sleep_for(1h);
  } catch (const tare::cancelled&) {
    ++cancelled;
    throw;
  }
}

task<> cancels(tare::scope& s, std::atomic<bool>& done) {
  s.cancel();
  s.cancel();
  done = true;
  co_return;
}

class scope_elsewhere : public testing::TestWithParam<std::tuple<canceller, state>> {
 protected:
  /// Cancels `s` from elsewhere. When `done` is set, the call has returned, or will return before the task that makes
  /// it ends.
  void cancel_elsewhere(tare::scope& s, std::atomic<bool>& done) {
    const auto call = [&s, &done] {
      s.cancel();
      done = true;
    };
    switch (std::get<0>(GetParam())) {
      case canceller::member:
        s.spawn_on(1, cancels(s, done));
        break;
      case canceller::detached_task:
        tare::spawn_on(1, cancels(s, done));
        break;
      case canceller::thread:
        threads_.emplace_back(call);
        break;
      case canceller::four_threads:
        left_ = 4;
        for (int i = 0; i < 4; ++i) {
          threads_.emplace_back([&] {
            s.cancel();
            if (--left_ == 0) done = true;
          });
        }
        break;
      case canceller::other_runtime:
        threads_.emplace_back([&] { tare::run(cancels(s, done)); });
        break;
    }
  }

  task<> play(state how) {
    std::atomic<bool> done = false;
    const auto wait_for_call = [&]() -> task<> {
      while (!done) co_await tare::yield();
    };
    const auto before = cancelled_.load();
    tare::scope s;
    if (how == state::empty) {
      cancel_elsewhere(s, done);
      co_await wait_for_call();
      // There is nothing to join, unless there is a member.
      if (s.size() != 0) co_await s.join();
      co_return;
    }
    for (int i = 0; i < 150; ++i) s.spawn(sleeps(cancelled_));
    for (int i = 0; i < 20; ++i) s.spawn_on(1, sleeps(cancelled_));
    co_await tare::sleep_for(1ms);
    if (how == state::with_error) s.fail(std::make_exception_ptr(std::runtime_error("the scope's")));
    cancel_elsewhere(s, done);
    if (how == state::body_runs) co_await wait_for_call();
    if (how == state::spawning) {
      // The other thread may not run for a long time.
      for (int i = 0; i < 2000 && !done; ++i) {
        s.spawn(sleeps(cancelled_));
        co_await tare::yield();
      }
      co_await wait_for_call();
    }
    bool thrown = false;
    try {
      co_await s.join();
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    EXPECT_EQ(thrown, how == state::with_error);
    EXPECT_GE(cancelled_ - before, 150);
    // A member of a scope that has failed is not even started.
    const bool called = std::get<0>(GetParam()) != canceller::member || how != state::with_error;
    if (called) co_await wait_for_call();
    int ran = 0;
    s.spawn([](int& count) -> task<> {
      co_await tare::yield();
      ++count;
    }(ran));
    co_await s.join();
    // A call may have arrived while the last round ran; then that round was cancelled.
    if (how == state::body_runs || how == state::spawning) {
      EXPECT_EQ(ran, 1);
    }
  }

  std::atomic<int> cancelled_ = 0;
  std::atomic<int> left_ = 0;
  std::vector<std::jthread> threads_;
};

TEST_P(scope_elsewhere, is_cancelled) {
  tare::runtime rt({.shards = 2});
  for (int round = 0; round < 20; ++round) rt.run(play(std::get<1>(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(states, scope_elsewhere,
                         testing::Combine(testing::Values(canceller::member, canceller::detached_task,
                                                          canceller::thread, canceller::four_threads,
                                                          canceller::other_runtime),
                                          testing::Values(state::empty, state::body_runs, state::joining,
                                                          state::with_error, state::spawning)));

TEST(scope_elsewhere_body, is_cancelled_with_its_scope) {
  std::atomic<int> cancelled = 0;
  std::atomic<bool> done = false;
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn_on(1, cancels(s, done));
      co_await sleeps(cancelled);
    });
  };
  tare::runtime rt({.shards = 2});
  rt.run(body());
  EXPECT_EQ(cancelled, 1);
}

TEST(scope_elsewhere_end, a_message_under_way_arrives_before_the_scope_is_gone) {
  // The shard does not process its mail between the call and the end of the scope.
  for (const bool joined : {false, true}) {
    auto body = [&]() -> task<> {
      std::optional<tare::scope> s(std::in_place);
      std::thread([&] { s->cancel(); }).join();
      if (joined) co_await s->join();
      s.reset();
      co_await tare::yield();
    };
    tare::run(body());
  }
}

TEST(scope_elsewhere_end, a_scope_made_outside_of_a_task_takes_no_task) {
  std::optional<tare::scope> s(std::in_place);
  s->cancel();
  auto body = [&]() -> task<> {
    EXPECT_THROW(s->spawn([]() -> task<> { co_return; }()), std::logic_error);
    s->cancel();
    bool refused = false;
    try {
      co_await s->join();
    } catch (const std::logic_error&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
  };
  tare::run(body());
}

class scope_elsewhere_death : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  static void call_on_shard_1(const std::function<void(tare::scope&)>& call) {
    tare::runtime rt({.shards = 2});
    auto body = [&]() -> task<> {
      tare::scope s;
      co_await tare::resume_on(1);
      call(s);
      co_await tare::resume_on(0);
    };
    rt.run(body());
  }
};

TEST_F(scope_elsewhere_death, size_and_fail_say_what_is_wrong) {
  EXPECT_DEATH(call_on_shard_1([](tare::scope& s) { (void)s.size(); }), "scope::size called on a shard other than");
  EXPECT_DEATH(
      call_on_shard_1([](tare::scope& s) { s.fail(std::make_exception_ptr(std::runtime_error("elsewhere"))); }),
      "scope::fail called on a shard other than");
}

TEST_F(scope_elsewhere_death, a_scope_outside_of_a_frame_says_what_is_wrong) {
  const auto body = [](bool by_mail) -> task<> {
    const auto s = std::make_unique<tare::scope>();
    s->cancel();
    if (by_mail) std::thread([&] { s->cancel(); }).join();
    s->spawn([]() -> task<> { co_return; }());
    co_await s->join();
  };
  for (const bool by_mail : {false, true}) {
    EXPECT_DEATH(tare::run(body(by_mail)), "a scope must be in a task's frame");
  }
}

TEST_F(scope_elsewhere_death, fail_without_an_error_says_what_is_wrong) {
  EXPECT_DEATH(tare::run([]() -> task<> {
                 tare::scope s;
                 s.fail(nullptr);
                 co_return;
               }()),
               "scope::fail called without an error");
}

}  // namespace
