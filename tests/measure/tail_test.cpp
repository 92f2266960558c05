#include "measure/process/tail.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace {

using tare::measure::tail;

std::string last_line(std::string_view text) {
  tail all;
  all.feed(text);
  return all.last_line();
}

TEST(tail_test, keeps_the_last_bytes_however_they_come) {
  const std::string_view all = "abcdefghijklmnopqrstuvwxyz";
  for (std::size_t piece = 1; piece <= all.size(); ++piece) {
    tail last(5);
    for (std::size_t at = 0; at < all.size(); at += piece) last.feed(all.substr(at, piece));
    EXPECT_EQ(last.text(), "vwxyz") << "in pieces of " << piece;
  }
}

TEST(tail_test, keeps_everything_that_fits) {
  tail last(5);
  EXPECT_EQ(last.text(), "");
  last.feed("");
  last.feed("abc");
  EXPECT_EQ(last.text(), "abc");
  last.feed("de");
  EXPECT_EQ(last.text(), "abcde");
  last.feed("f");
  EXPECT_EQ(last.text(), "bcdef");
}

TEST(tail_test, the_last_line_is_the_last_that_is_not_blank) {
  EXPECT_EQ(last_line(""), "");
  EXPECT_EQ(last_line(" \n\t\r\n"), "");
  EXPECT_EQ(last_line("one"), "one");
  EXPECT_EQ(last_line("one\ntwo"), "two");
  EXPECT_EQ(last_line("one\n  two \r\n\n \n"), "two");
}

TEST(tail_test, the_last_line_is_fit_for_a_terminal) {
  EXPECT_EQ(last_line("red: \x1b[31mno\x07\x7f!"), "red:  [31mno  !");
  EXPECT_EQ(last_line(std::string(200, 'x')), std::string(200, 'x'));
  EXPECT_EQ(last_line(std::string(201, 'x')), std::string(200, 'x') + "...");
  // The 200th byte is the first of two bytes of a character.
  EXPECT_EQ(last_line(std::string(199, 'x') + "\xc3\xa9" + "yz"), std::string(199, 'x') + "...");
}

}  // namespace
