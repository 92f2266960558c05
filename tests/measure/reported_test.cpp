#include "measure/weigh/reported.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace {

using tare::measure::report_reader;
using tare::measure::reported_values;

reported_values read(std::string_view text) {
  report_reader reader;
  reader.feed(text);
  return reader.values();
}

TEST(reported_test, takes_lines_with_a_key_and_a_number) {
  EXPECT_EQ(read("spawn_seconds=0.25\nallocations=12\nsmall=1e-9\n"),
            (reported_values{{"spawn_seconds", 0.25}, {"allocations", 12}, {"small", 1e-9}}));
}

TEST(reported_test, a_windows_line_end_is_fine) { EXPECT_EQ(read("a=1\r\n"), (reported_values{{"a", 1}})); }

TEST(reported_test, passes_over_everything_else) {
  EXPECT_EQ(read("READY\n\n=1\na\na=\na=b\na=1 \nA=1\na b=1\na=1=2\na=inf\na=nan\na=1e999\n"), reported_values{});
}

TEST(reported_test, a_line_counts_when_its_end_has_come) {
  report_reader reader;
  for (const char c : std::string_view("seconds=12")) reader.feed({&c, 1});
  EXPECT_TRUE(reader.values().empty());
  reader.feed("\n");
  EXPECT_EQ(reader.values(), (reported_values{{"seconds", 12}}));
}

TEST(reported_test, the_last_value_of_a_key_counts) { EXPECT_EQ(read("a=1\na=2\n"), (reported_values{{"a", 2}})); }

TEST(reported_test, is_bounded) {
  EXPECT_EQ(read(std::string(1'000'000, 'x') + "=1\na=1\n"), (reported_values{{"a", 1}}));
  std::string many;
  for (int i = 0; i < 1000; ++i)
    many +=
        std::string(1, static_cast<char>('a' + i % 26)) + std::string(static_cast<std::size_t>(i / 26), 'k') + "=1\n";
  EXPECT_EQ(read(many).size(), 64U);
}

}  // namespace
