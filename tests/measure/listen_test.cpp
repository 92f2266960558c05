#include "measure/process/listen.hpp"

#include "measure/process/pipe.hpp"
#include "support/conversation.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <chrono>
#include <string>
#include <string_view>
#include <thread>

namespace {

using namespace conversation;
using namespace std::chrono_literals;
using tare::measure::listen;

std::chrono::steady_clock::time_point in(std::chrono::nanoseconds time) {
  return std::chrono::steady_clock::now() + time;
}

bool never(std::string_view /*bytes*/) { return false; }

TEST(listen_test, returns_once_it_has_heard_enough) {
  const auto running = shell("echo one; echo two; exec sleep 100");
  std::string all;
  const auto heard = listen(running, in(patience), -1, [&](std::string_view bytes) {
    all += bytes;
    return all.contains("two\n");
  });
  ASSERT_TRUE(heard);
  EXPECT_TRUE(heard->enough);
  EXPECT_FALSE(heard->ended);
  EXPECT_EQ(all, "one\ntwo\n");
}

TEST(listen_test, gives_up_when_the_time_is_over) {
  const auto running = shell("exec sleep 100");
  const auto began = std::chrono::steady_clock::now();
  const auto heard = listen(running, began + 100ms, -1, never);
  ASSERT_TRUE(heard);
  EXPECT_FALSE(heard->enough);
  EXPECT_FALSE(heard->ended);
  EXPECT_FALSE(heard->output_closed);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 100ms);
}

TEST(listen_test, gives_up_although_the_process_never_stops_talking) {
  const auto running = shell("exec cat /dev/zero");
  const auto heard = listen(running, in(200ms), -1, never);
  ASSERT_TRUE(heard);
  EXPECT_FALSE(heard->enough);
  EXPECT_FALSE(heard->ended);
}

TEST(listen_test, a_deadline_that_has_passed_is_no_error) {
  const auto running = shell("exec sleep 100");
  const auto heard = listen(running, in(-1h), -1, never);
  ASSERT_TRUE(heard);
  EXPECT_FALSE(heard->ended);
}

TEST(listen_test, stops_when_told_to) {
  auto stop = tare::measure::open_pipe();
  ASSERT_TRUE(stop);
  const auto running = shell("exec sleep 100");
  ASSERT_EQ(::write(stop->writer.get(), "x", 1), 1);
  for (int i = 0; i < 2; ++i) {  // the signal is not read, so it is reported again
    const auto heard = listen(running, in(patience), stop->reader.get(), never);
    ASSERT_FALSE(heard);
    EXPECT_EQ(heard.error().kind, tare::base::fault::interrupted);
  }
}

TEST(listen_test, notices_a_closed_output) {
  const auto running = shell("exec sleep 100 >&-");
  const auto heard = listen(running, in(1s), -1, never);
  ASSERT_TRUE(heard);
  EXPECT_TRUE(heard->output_closed);
  EXPECT_FALSE(heard->ended);
}

TEST(listen_test, hears_the_last_words_of_a_process_that_has_ended) {
  const auto running = shell("echo out; echo err >&2");
  std::this_thread::sleep_for(50ms);  // it has probably ended by now; the result is the same in any case
  const auto all = hear_out(running);
  EXPECT_EQ(all.output, "out\n");
  EXPECT_EQ(all.heard.errors.text(), "err\n");
  EXPECT_EQ(all.end(), "exited with status 0");
}

TEST(listen_test, does_not_wait_for_a_descendant_that_keeps_the_output_open) {
  const auto running = shell("sleep 100 & echo out");
  const auto all = hear_out(running);
  EXPECT_EQ(all.output, "out\n");
  EXPECT_EQ(all.end(), "exited with status 0");
  EXPECT_FALSE(all.heard.output_closed);
}

TEST(listen_test, keeps_the_end_of_a_long_complaint) {
  const auto running = shell("head -c 100000 /dev/zero >&2; echo last >&2");
  const auto all = hear_out(running);
  EXPECT_EQ(all.heard.errors.text().size(), 4096U);
  EXPECT_TRUE(all.heard.errors.text().ends_with("last\n"));
}

}  // namespace
