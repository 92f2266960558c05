#include <tare/http/fields.hpp>

#include <tare/http/request.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

using tare::http::fields;
using tare::http::fields_view;
using tare::http::percent_decode;

TEST(fields, are_lines_in_their_order) {
  fields some;
  some.add("A", "1").add("b", "two words").add("a", "3");
  EXPECT_EQ(some.view().text(), "A: 1\r\nb: two words\r\na: 3\r\n");
  std::vector<std::string> names;
  for (const auto [name, value] : some.view()) names.push_back(std::string(name) + "=" + std::string(value));
  EXPECT_EQ(names, (std::vector<std::string>{"A=1", "b=two words", "a=3"}));
  EXPECT_EQ(some.find("B"), "two words");
  EXPECT_EQ(some.find("c"), std::nullopt);
  EXPECT_EQ(some.view().count("a"), 2U);
  some.set("a", "4");
  EXPECT_EQ(some.view().text(), "b: two words\r\na: 4\r\n");
  EXPECT_EQ(some.remove("B"), 1U);
  EXPECT_EQ(some.remove("B"), 0U);
}

TEST(fields, find_tokens_in_lists) {
  const fields_view lines("Connection: keep-alive , Upgrade\r\nConnection: x\r\nEmpty:\r\n");
  EXPECT_TRUE(lines.has_token("connection", "upgrade"));
  EXPECT_TRUE(lines.has_token("connection", "X"));
  EXPECT_FALSE(lines.has_token("connection", "up"));
  EXPECT_FALSE(lines.has_token("empty", "x"));
  EXPECT_EQ(lines.find("empty"), "");
}

TEST(fields, do_not_let_a_value_become_another_field) {
  fields some;
  for (const std::string& bad :
       {std::string("a\r\nb"), std::string("a\n"), std::string("a\0b", 3), std::string("\x7f")}) {
    EXPECT_THROW(some.add("x", bad), std::invalid_argument);
    EXPECT_THROW(some.set("x", bad), std::invalid_argument);
  }
  for (const char* bad : {"", "a b", "a:", "a\r\n", "\xC3\xA4"})
    EXPECT_THROW(some.add(bad, "x"), std::invalid_argument);
  EXPECT_TRUE(some.empty());
  EXPECT_NO_THROW(some.add("x", "a\tb \xC3\xA4"));
}

TEST(percent_decode, decodes_or_says_no) {
  EXPECT_EQ(percent_decode("a%41%2f%C3%A4"), "aA/\xC3\xA4");
  EXPECT_EQ(percent_decode("a+b"), "a+b");
  EXPECT_EQ(percent_decode("a+b%2B", true), "a b+");
  for (const char* bad : {"%", "%4", "%4g", "%g4", "%%41", "% 41"}) EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
}

}  // namespace
