#include "measure/weigh/line_watch.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace {

using tare::measure::line_watch;

bool finds(std::string_view stream) { return line_watch("READY").feed(stream); }

TEST(line_watch_test, finds_the_line_first_last_or_in_between) {
  EXPECT_TRUE(finds("READY\n"));
  EXPECT_TRUE(finds("starting\nREADY\n"));
  EXPECT_TRUE(finds("\n\nREADY\nmore\n"));
  EXPECT_TRUE(finds("READ\nREADY\n"));
  EXPECT_TRUE(finds(std::string(100'000, 'x') + "\nREADY\n"));
}

TEST(line_watch_test, blanks_at_its_end_do_not_count) {
  EXPECT_TRUE(finds("READY\r\n"));
  EXPECT_TRUE(finds("READY \t\n"));
}

TEST(line_watch_test, takes_nothing_else_for_it) {
  for (const std::string_view stream : {"", "\n", "READYX\n", "READY X\n", "XREADY\n", " READY\n", "READ\n", "ready\n",
                                        "READY\0\n", "REA\nDY\n", "READYREADY\n", "not READY\n"}) {
    EXPECT_FALSE(finds(stream)) << stream;
  }
  EXPECT_FALSE(finds({"READY\0\n", 7}));
}

TEST(line_watch_test, waits_for_the_end_of_the_line) {
  line_watch watch("READY");
  EXPECT_FALSE(watch.feed("READY"));
  EXPECT_FALSE(watch.feed(""));
  EXPECT_TRUE(watch.feed("\n"));
}

TEST(line_watch_test, what_it_has_seen_stays_seen) {
  line_watch watch("READY");
  EXPECT_TRUE(watch.feed("READY\n"));
  EXPECT_TRUE(watch.feed("other\n"));
  EXPECT_TRUE(watch.feed(""));
}

TEST(line_watch_test, the_stream_may_be_cut_anywhere) {
  const std::string_view found = "READ\nREADYX\nREADY\r\nmore";
  const std::string_view not_found = "READ\nREADYX\nX READY\nREADY";
  for (const auto stream : {found, not_found}) {
    for (std::size_t first = 0; first <= stream.size(); ++first) {
      for (std::size_t second = first; second <= stream.size(); ++second) {
        line_watch watch("READY");
        watch.feed(stream.substr(0, first));
        watch.feed(stream.substr(first, second - first));
        EXPECT_EQ(watch.feed(stream.substr(second)), stream == found) << stream << " at " << first << ", " << second;
      }
    }
  }
}

}  // namespace
