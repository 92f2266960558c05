// Ends of a runtime: by whom, with what in progress, and in a child process.

#include "frame/arena.hpp"
#include "frame/heap.hpp"
#include "frame/poison.hpp"
#include "support/sanitizers.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace {

using namespace std::chrono_literals;
using tare::task;

task<int> seven() { co_return 7; }

class runtime_end_death : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(runtime_end_death, by_a_task_of_its_own) {
  for (const tare::shard_id at : {0U, 1U}) {
    EXPECT_DEATH(
        {
          auto rt = std::make_unique<tare::runtime>(tare::runtime_options{.shards = 2});
          auto body = [&]() -> task<> {
            co_await tare::resume_on(at);
            rt.reset();
          };
          rt->run(body());
        },
        "a runtime was destroyed by one of its tasks");
  }
}

TEST_F(runtime_end_death, by_a_task_of_a_runtime_inside_a_task_of_its_own) {
  EXPECT_DEATH(
      {
        auto rt = std::make_unique<tare::runtime>();
        auto inner = std::make_unique<tare::runtime>();
        auto destroys_when_cancelled = [&]() -> task<> {
          try {
            co_await tare::sleep_for(1h);
          } catch (...) {
            rt.reset();
          }
        };
        auto starts = [&]() -> task<> {
          tare::spawn(destroys_when_cancelled());
          co_await tare::yield();
        };
        inner->run(starts());
        auto body = [&]() -> task<> {
          inner.reset();
          co_return;
        };
        rt->run(body());
      },
      "a runtime was destroyed by one of its tasks");
}

TEST_F(runtime_end_death, by_what_it_runs_for_offload) {
  EXPECT_DEATH(
      {
        auto rt = std::make_unique<tare::runtime>();
        auto body = [&]() -> task<> { co_await tare::offload([&] { rt.reset(); }); };
        rt->run(body());
      },
      "a runtime was destroyed by a function that it runs through offload");
}

TEST_F(runtime_end_death, by_another_thread_than_the_one_in_run) {
  EXPECT_DEATH(
      {
        auto rt = std::make_unique<tare::runtime>();
        std::thread other;
        auto body = [&]() -> task<> {
          other = std::thread([&] { rt.reset(); });
          co_await tare::sleep_for(1h);
        };
        rt->run(body());
      },
      "a runtime was destroyed by another thread while run is in progress");
}

TEST_F(runtime_end_death, by_exit_in_a_task) {
  EXPECT_DEATH(
      {
        static tare::runtime rt;
        rt.run([]() -> task<> {
          std::exit(0);  // NOLINT(concurrency-mt-unsafe): what is tested
          co_return;
        }());
      },
      "a runtime was destroyed by one of its tasks");
}

TEST(runtime_end, frees_a_cancellation_that_was_under_way_to_a_task_that_has_ended) {
  const auto held_by_new_runtime = [] { return tare::runtime({.shards = 2}).frame_bytes(); };
  {
    tare::runtime warm({.shards = 2});
    warm.run(seven());
  }
  const std::size_t before = held_by_new_runtime();
  for (int round = 0; round < 3; ++round) {
    std::atomic<bool> posted = false;
    std::atomic<bool> started = false;
    std::atomic<bool> sent = false;
    std::atomic<bool> ending = false;
    const auto spin = [](const std::atomic<bool>& until) {
      while (!until) std::this_thread::yield();
    };
    auto runtime = std::make_unique<tare::runtime>(tare::runtime_options{.shards = 2});
    // Shard 1 first waits until both tasks are in its mailbox, so that they run in one turn: the first one gets the
    // message while it runs, and ends; the second one ends the runtime before the mailbox is checked again.
    auto gate = [&]() -> task<> {
      spin(posted);
      co_return;
    };
    auto addressee = [&]() -> task<> {
      started = true;
      spin(sent);
      co_return;
    };
    auto last = [&]() -> task<> {
      spin(ending);
      std::this_thread::sleep_for(50ms);
      co_return;
    };
    auto body = [&]() -> task<> {
      co_await tare::with_scope([&](tare::scope& s) -> task<> {
        tare::spawn_on(1, gate());
        s.spawn_on(1, addressee());
        tare::spawn_on(1, last());
        posted = true;
        spin(started);
        s.cancel();
        sent = true;
        co_return;
      });
    };
    runtime->run(body());
    ending = true;
    runtime.reset();
  }
  // AddressSanitizer's quarantine holds back some freed frames.
  if (!tare::detail::poisoning) {
    EXPECT_EQ(held_by_new_runtime(), before);
  }
}

/// The child's exit status; -1 if it does not end in time.
int in_child(const std::function<int()>& act) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(act());
  for (int i = 0; i < 2000; ++i) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
    std::this_thread::sleep_for(5ms);
  }
  (void)::kill(child, SIGKILL);
  (void)::waitpid(child, nullptr, 0);
  return -1;
}

TEST(fork, of_a_process_in_whose_arena_a_thread_is) {
  if (support::has_thread_sanitizer) {
    GTEST_SKIP() << "ThreadSanitizer reports the parent's thread as leaked by the child";
  }
  std::atomic<bool> locked = false;
  std::thread other([&] {
    const std::scoped_lock guard(tare::detail::arena::instance().shared_heap());
    locked = true;
    std::this_thread::sleep_for(50ms);
  });
  while (!locked) std::this_thread::yield();
  EXPECT_EQ(in_child([] { return tare::run(seven()); }), 7);
  other.join();
  EXPECT_EQ(tare::run(seven()), 7);
}

TEST(fork, in_a_task) {
  auto body = []() -> task<int> {
    const int status = in_child([] { return tare::run(seven()); });
    co_await tare::yield();
    co_return status;
  };
  EXPECT_EQ(tare::run(body()), 7);
}

TEST(fork, leaves_the_child_a_runtime_that_can_be_destroyed_and_not_used) {
  auto rt = std::make_unique<tare::runtime>(tare::runtime_options{.shards = 2});
  EXPECT_EQ(in_child([&] {
              try {
                (void)rt->run(seven());
                return 1;
              } catch (const std::logic_error&) {
              }
              rt.reset();
              return tare::run(seven());
            }),
            7);
  EXPECT_EQ(rt->run(seven()), 7);
}

TEST(fork, in_a_task_leaves_the_child_a_runtime_that_can_be_destroyed) {
  auto rt = std::make_unique<tare::runtime>();
  auto body = [&]() -> task<int> {
    co_return in_child([&] {
      rt.reset();
      return tare::run(seven());
    });
  };
  EXPECT_EQ(rt->run(body()), 7);
}

}  // namespace
