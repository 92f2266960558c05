// How long a process is stopped.

#include "inspect/memory/pause.hpp"

#include "live/program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

namespace {

using namespace live_test;
using namespace std::chrono_literals;
using tare::inspect::pause;

/// 't' while a process is stopped by a tracer.
char state_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= text.size() ? '?' : text[name_end + 2];
}

/// Whether the process continues, if it is given enough time.
bool continues(pid_t pid) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < end) {
    if (state_of(pid) != 't') return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

TEST(live_pause, stops_all_threads_until_it_ends) {
  const auto program = start({target("churn-clang-O2")});
  auto stopped = pause::begin(program.running.pid(), 1h);
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(state_of(program.running.pid()), 't');
  const auto outcome = stopped->end();
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_GT(outcome.lasted, 0ns);
  EXPECT_TRUE(continues(program.running.pid()));
  EXPECT_EQ(stopped->end().lasted, outcome.lasted);
}

TEST(live_pause, ends_by_itself_when_its_time_is_over) {
  const auto program = start({target("churn-clang-O2")});
  for (const auto time : {1ns, 1000000ns, 20000000ns}) {
    auto stopped = pause::begin(program.running.pid(), time);
    ASSERT_TRUE(stopped) << stopped.error().message;
    // Nothing asks it to end.
    EXPECT_TRUE(continues(program.running.pid())) << time.count();
    EXPECT_TRUE(stopped->end().timed_out) << time.count();
  }
}

TEST(live_pause, ends_when_it_is_destroyed) {
  const auto program = start({target("churn-clang-O2")});
  {
    auto stopped = pause::begin(program.running.pid(), 1h);
    ASSERT_TRUE(stopped) << stopped.error().message;
    const pause moved = std::move(*stopped);
    EXPECT_EQ(state_of(program.running.pid()), 't');
  }
  EXPECT_TRUE(continues(program.running.pid()));
}

TEST(live_pause, of_a_process_that_does_not_exist_or_is_stopped_already_is_an_error) {
  const auto program = start({target("churn-clang-O2")});
  auto first = pause::begin(program.running.pid(), 1h);
  ASSERT_TRUE(first) << first.error().message;
  const auto second = pause::begin(program.running.pid(), 1h);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, testing::HasSubstr("debugger"));
  (void)first->end();
  EXPECT_TRUE(continues(program.running.pid()));
}

}  // namespace
