#include <tare/handle.hpp>

#include "sched/run_then_cancel.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

class handle_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

task<std::unique_ptr<int>> boxed(int value) {
  co_await tare::sleep_for(1s);
  co_return std::make_unique<int>(value);
}
task<int> fails() {
  co_await tare::sleep_for(1s);
  throw std::runtime_error("no");
}
task<> sleeps() { co_await tare::sleep_for(1h); }

/// Awaits a handle in a task of a scope and notes how that ends.
enum class end { none, value, error, task_cancelled, cancelled, already_taken };
template <class T>
task<> note_end(tare::handle<T>& of, end& how) {
  try {
    (void)co_await of;
    how = end::value;
  } catch (const tare::task_cancelled&) {
    how = end::task_cancelled;
  } catch (const std::logic_error&) {
    how = end::already_taken;
  } catch (const std::exception&) {
    how = end::error;
  } catch (const tare::cancelled&) {
    how = end::cancelled;
    throw;
  }
}
template <>
task<> note_end<void>(tare::handle<void>& of, end& how) {
  try {
    co_await of;
    how = end::value;
  } catch (const tare::task_cancelled&) {
    how = end::task_cancelled;
  } catch (const tare::cancelled&) {
    how = end::cancelled;
    throw;
  }
}

TEST_F(handle_test, delivers_the_result_of_scopes_and_of_detached_tasks_once) {
  auto body = [&]() -> task<> {
    tare::scope s;
    auto a = s.spawn_handle(boxed(1));
    auto b = tare::spawn_handle(boxed(2));
    EXPECT_FALSE(a.has_ended());
    const auto first = co_await a;
    EXPECT_EQ(*first, 1);
    EXPECT_TRUE(b.has_ended());  // at the same time
    const auto second = co_await b.join();
    EXPECT_EQ(*second, 2);
    end again = end::none;
    co_await note_end(a, again);
    EXPECT_EQ(again, end::already_taken);
    co_await s.join();
  };
  rt_.run(body());
}

TEST_F(handle_test, an_error_goes_to_the_handle_or_without_one_to_the_scope) {
  auto body = [&]() -> task<> {
    tare::scope s;
    auto kept = s.spawn_handle(fails());
    auto sibling = s.spawn_handle(boxed(3));
    end how = end::none;
    co_await note_end(kept, how);
    EXPECT_EQ(how, end::error);
    const auto value = co_await sibling;
    EXPECT_EQ(*value, 3);
    {
      const auto dropped = s.spawn_handle(fails());
    }
    bool thrown = false;
    try {
      co_await s.join();
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
  };
  rt_.run(body());
}

TEST_F(handle_test, cancels_one_task_before_it_begins_and_while_it_waits) {
  auto body = [&]() -> task<> {
    tare::scope s;
    auto before = s.spawn_handle(sleeps());
    auto during = s.spawn_handle(sleeps());
    auto other = s.spawn_handle(boxed(1));
    before.cancel();
    co_await tare::yield();
    during.cancel();
    during.cancel();
    end how = end::none;
    co_await note_end(before, how);
    EXPECT_EQ(how, end::task_cancelled);
    how = end::none;
    co_await note_end(during, how);
    EXPECT_EQ(how, end::task_cancelled);
    const auto value = co_await other;
    EXPECT_EQ(*value, 1);
    other.cancel();  // has ended
    co_await s.join();
  };
  rt_.run(body());
}

TEST_F(handle_test, a_cancelled_wait_leaves_the_task_and_its_result) {
  auto body = [&]() -> task<> {
    tare::scope s;
    auto h = s.spawn_handle(boxed(5));
    end how = end::none;
    co_await tare::test::run_then_cancel(note_end(h, how));
    EXPECT_EQ(how, end::cancelled);
    EXPECT_FALSE(h.has_ended());
    const auto value = co_await h;
    EXPECT_EQ(*value, 5);
    co_await s.join();
  };
  rt_.run(body());
}

TEST_F(handle_test, the_scope_cancels_it_too_even_before_it_begins) {
  auto body = [&]() -> task<> {
    tare::scope s;
    auto waits = s.spawn_handle(sleeps());
    co_await tare::yield();
    auto fresh = s.spawn_handle(sleeps());
    s.cancel();
    co_await s.join();
    EXPECT_TRUE(waits.has_ended());
    EXPECT_TRUE(fresh.has_ended());
    end how = end::none;
    co_await note_end(waits, how);
    EXPECT_EQ(how, end::task_cancelled);
    how = end::none;
    co_await note_end(fresh, how);
    EXPECT_EQ(how, end::task_cancelled);
  };
  rt_.run(body());
}

TEST_F(handle_test, a_task_may_hold_and_cancel_its_own_handle) {
  tare::handle<void> own;
  end how = end::none;
  auto selfish = [&]() -> task<> {
    co_await tare::sleep_for(1s);
    own.cancel();
    co_await note_end(own, how);  // cancelled, so this wait ends
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    own = s.spawn_handle(selfish());
    co_await s.join();
  };
  rt_.run(body());
  EXPECT_EQ(how, end::cancelled);
}

TEST_F(handle_test, cancelling_a_task_that_waits_for_itself_does_not_lock_up) {
  tare::handle<void> own;
  auto waits_for_itself = [&]() -> task<> { co_await own; };
  auto body = [&]() -> task<> {
    tare::scope s;
    own = s.spawn_handle(waits_for_itself());
    co_await tare::sleep_for(1s);
    own.cancel();
    co_await s.join();
  };
  rt_.run(body());
  EXPECT_TRUE(own.has_ended());
}

TEST_F(handle_test, is_an_arm_of_a_select_that_takes_nothing_if_it_loses) {
  auto body = [&]() -> task<> {
    tare::scope s;
    auto slow = s.spawn_handle(boxed(6));
    auto late = co_await tare::select(slow.join(), tare::sleep_for(1ms));
    EXPECT_EQ(late.index(), 1U);
    auto ended = co_await tare::select(slow.join(), tare::sleep_for(1h));
    EXPECT_EQ(ended.index(), 0U);
    EXPECT_EQ(*std::get<0>(ended), 6);
    co_await s.join();
  };
  rt_.run(body());
}

TEST_F(handle_test, an_empty_handle_is_refused) {
  auto body = [&]() -> task<bool> {
    const tare::handle<int> empty;
    empty.cancel();
    EXPECT_TRUE(empty.has_ended());
    try {
      (void)co_await empty;
    } catch (const std::logic_error&) {
      co_return true;
    }
    co_return false;
  };
  EXPECT_TRUE(rt_.run(body()));
}

TEST(handle_on_threads_test, outlives_the_runtime) {
  tare::handle<std::unique_ptr<int>> kept;
  {
    tare::runtime rt({.clock = tare::clock_kind::virtual_time});
    auto body = [&]() -> task<> {
      kept = tare::spawn_handle(boxed(1));
      co_return;
    };
    rt.run(body());
  }
  EXPECT_TRUE(kept.has_ended());
  kept.cancel();
}

// Cancels, joins, drops and ends on several threads.
TEST(handle_on_threads_test, cancels_from_threads_while_tasks_end) {
  tare::runtime rt({.shards = 2});
  auto short_task = [](int number) -> task<int> {
    for (int i = 0; i < number % 4; ++i) co_await tare::yield();
    if (number % 3 == 0) co_await tare::sleep_for(1ms);
    co_return number;
  };
  std::atomic<int> ended = 0;
  auto one = [&](int number) -> task<> {
    tare::scope s;
    tare::handle<int> h = s.spawn_handle(short_task(number));
    std::atomic<bool> go = false;
    std::jthread canceller([&] {
      while (!go) std::this_thread::yield();
      h.cancel();
      (void)h.has_ended();
    });
    go = true;
    end how = end::none;
    co_await note_end(h, how);
    if (how == end::value || how == end::task_cancelled) ++ended;
    canceller.join();
    if (number % 2 == 0) h = {};
    co_await s.join();
  };
  auto body = [&]() -> task<> {
    for (int round = 0; round < 150; ++round) {
      tare::scope s;
      s.spawn(one(round));
      s.spawn_on(1, one(round + 1));
      co_await s.join();
    }
  };
  rt.run(body());
  EXPECT_EQ(ended, 300);
}

}  // namespace
