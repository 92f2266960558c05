#include "base/toml_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace {

using tare::base::parse_toml;
using tare::base::toml_reader;

/// What the reader says about the file after `read` has looked at its content.
template <class F>
std::string complaint(std::string_view text, F read) {
  const auto top = parse_toml(text, "dir/a.toml");
  if (!top) {
    EXPECT_EQ(top.error().kind, tare::base::fault::input);
    return top.error().message;
  }
  toml_reader in("dir/a.toml");
  read(in, *top);
  return in.error() ? in.error()->message : "accepted";
}

std::string complaint(std::string_view text) {
  return complaint(text, [](toml_reader&, const toml::table&) {});
}

TEST(toml_file, a_mistake_in_the_syntax_has_a_place) {
  EXPECT_EQ(complaint(""), "accepted");
  EXPECT_THAT(complaint("a = 1\n\n  b = \n"), testing::StartsWith("dir/a.toml:3:"));
  EXPECT_THAT(complaint("a = 1\na = 2\n"), testing::StartsWith("dir/a.toml:2:"));
  EXPECT_THAT(complaint("a = 1\na = 2\n"), testing::HasSubstr(": not valid TOML: "));
  EXPECT_THAT(complaint("\xff\xfe"), testing::StartsWith("dir/a.toml:1:1: not valid TOML: "));
}

TEST(toml_file, the_place_is_that_of_the_key_or_of_the_value) {
  static constexpr std::array<std::string_view, 2> known{"a", "b"};
  const auto keys = [](toml_reader& in, const toml::table& top) { in.allow_keys(top, known, "the file"); };
  EXPECT_EQ(complaint("a = 1\nb = 2\n", keys), "accepted");
  EXPECT_EQ(complaint("a = 1\n  z = 2\n  c = 3\n", keys), "dir/a.toml:2:3: unknown key 'z' in the file; known: a, b");
  const auto text = [](toml_reader& in, const toml::table& top) { (void)in.text(*top.get("a"), "a"); };
  EXPECT_EQ(complaint("\na =   1\n", text), "dir/a.toml:2:7: 'a' must be a string");
  EXPECT_EQ(complaint("a = ''\n", text), "dir/a.toml:1:5: 'a' must be one line, and not empty");
  const auto count = [](toml_reader& in, const toml::table& top) { EXPECT_GE(in.count(*top.get("a"), "a"), 1U); };
  EXPECT_EQ(complaint("a = 0\n", count), "dir/a.toml:1:5: 'a' must be a whole number above 0");
  const auto flag = [](toml_reader& in, const toml::table& top) { EXPECT_FALSE(in.flag(top, "a")); };
  EXPECT_EQ(complaint("a = 'yes'\n", flag), "dir/a.toml:1:5: 'a' must be true or false");
  EXPECT_EQ(complaint("b = 1\n", flag), "accepted");
}

TEST(toml_file, tables_are_written_in_double_brackets) {
  const auto tables = [](std::size_t count) {
    return [count](toml_reader& in, const toml::table& top) { EXPECT_EQ(in.tables(top, "t").size(), count); };
  };
  EXPECT_EQ(complaint("", tables(0)), "accepted");
  EXPECT_EQ(complaint("[[t]]\n[[t]]\n", tables(2)), "accepted");
  EXPECT_EQ(complaint("[t]\n", tables(0)), "dir/a.toml:1:1: 't' must be written as [[t]]");
  EXPECT_EQ(complaint("t = 1\n", tables(0)), "dir/a.toml:1:5: 't' must be written as [[t]]");
  EXPECT_EQ(complaint("t = [1]\n", tables(0)), "dir/a.toml:1:6: 't' must be written as [[t]]");
}

TEST(toml_file, the_first_error_wins) {
  const auto twice = [](toml_reader& in, const toml::table& top) {
    (void)in.text(*top.get("b"), "b");
    (void)in.text(*top.get("a"), "a");
    in.complain("too late");
  };
  EXPECT_EQ(complaint("a = 1\nb = 2\n", twice), "dir/a.toml:2:5: 'b' must be a string");
  const auto whole = [](toml_reader& in, const toml::table&) { in.complain("no [frames]"); };
  EXPECT_EQ(complaint("", whole), "dir/a.toml:1:1: no [frames]");
}

}  // namespace
