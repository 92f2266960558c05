// Wrong calls inside a simulation: each ends the program with a message that names the call, as outside of one.

#include <tare/detail/link.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

task<> do_nothing() { co_return; }

/// A task that has been given away.
task<> given_away() {
  task<> full = do_nothing();
  const task<> taken = std::move(full);
  return full;  // NOLINT(bugprone-use-after-move): what is tested
}

struct misuse {
  std::string message;
  std::function<task<>()> make;
};

std::vector<misuse> of_empty_tasks() {
  return {
      {"co_await of an empty task", []() -> task<> { co_await given_away(); }},
      {"spawn of an empty task",
       []() -> task<> {
         tare::spawn(given_away());
         co_return;
       }},
      {"scope::spawn of an empty task",
       []() -> task<> {
         tare::scope s;
         s.spawn(given_away());
         co_await s.join();
       }},
      {"when_all of an empty task", []() -> task<> { co_await tare::when_all(do_nothing(), given_away()); }},
      {"timeout of an empty task", []() -> task<> { (void)co_await tare::timeout(1s, given_away()); }},
  };
}

std::vector<misuse> of_threads_and_scopes() {
  const auto on_a_thread = [](std::function<void()> call) {
    return [call = std::move(call)]() -> task<> {
      std::thread(call).join();
      co_return;
    };
  };
  return {
      {"tare::spawn: called outside a task", on_a_thread([] { tare::spawn(do_nothing()); })},
      {"tare::this_shard: called outside a task", on_a_thread([] { (void)tare::this_shard(); })},
      {"tare::memory: called outside a task", on_a_thread([] { (void)tare::memory(); })},
      {"scope::fail called without an error",
       []() -> task<> {
         tare::scope s;
         s.fail(nullptr);
         co_await s.join();
       }},
      {"scope",
       []() -> task<> {
         tare::scope s;
         s.spawn([]() -> task<> { co_await tare::sleep_for(1s); });
         co_return;
       }},
      {"a runtime was destroyed by one of its tasks", on_a_thread([] {
         auto rt = std::make_unique<tare::runtime>();
         rt->run([&]() -> task<> {
           co_await tare::yield();
           rt.reset();
         });
       })},
  };
}

void expect_death(const std::vector<misuse>& all) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const misuse& each : all) {
    EXPECT_DEATH(tare::sim::run({.twice = false}, [&](world& /*w*/) { return each.make(); }), each.message);
  }
}

TEST(sim_misuse_DeathTest, of_tasks_that_have_been_given_away) { expect_death(of_empty_tasks()); }

TEST(sim_misuse_DeathTest, of_threads_and_scopes) { expect_death(of_threads_and_scopes()); }

TEST(sim_misuse_DeathTest, a_link_to_nothing_is_not_followed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto follow = [](world& /*w*/) -> task<> {
    const volatile char* const nowhere = tare::detail::from_link<const volatile char>(tare::detail::no_link);
    (void)*nowhere;
    co_return;
  };
  EXPECT_DEATH(tare::sim::run({.twice = false}, follow), "");
}

}  // namespace
