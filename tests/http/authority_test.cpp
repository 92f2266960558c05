#include "http/authority.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

namespace {

using tare::http::detail::is_same;
using tare::http::detail::parse_authority;

TEST(authority, parses_hosts_and_ports) {
  struct expected {
    std::string_view text;
    std::string_view host;
    std::string_view port;
  };
  for (const expected& each : {
           expected{"a", "a", ""},
           expected{"example.com", "example.com", ""},
           expected{"example.com:80", "example.com", "80"},
           expected{"example.com:", "example.com", ""},
           expected{"a:0", "a", "0"},
           expected{"a:65535", "a", "65535"},
           expected{"a:00080", "a", "00080"},
           expected{"127.0.0.1:8080", "127.0.0.1", "8080"},
           expected{"under_score-dash.~!$&'()*+,;=", "under_score-dash.~!$&'()*+,;=", ""},
           expected{"%41%7a", "%41%7a", ""},
           expected{"[::1]", "[::1]", ""},
           expected{"[::1]:443", "[::1]", "443"},
           expected{"[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]", "1"},
           expected{"[2001:DB8::1]:", "[2001:DB8::1]", ""},
           expected{"[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", ""},
       }) {
    SCOPED_TRACE(each.text);
    const auto found = parse_authority(each.text);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->host, each.host);
    EXPECT_EQ(found->port, each.port);
  }
}

TEST(authority, refuses_what_is_none) {
  for (const std::string_view text : {"",
                                      ":",
                                      ":80",
                                      "a:x",
                                      "a:80:80",
                                      "a:-1",
                                      "a:+1",
                                      "a: 80",
                                      "a:65536",
                                      "a:99999999999999999999",
                                      "::1",
                                      "[::1",
                                      "::1]",
                                      "[]",
                                      "[::1]80",
                                      "[::1]x",
                                      "[::1]:x",
                                      "[::1]:1:2",
                                      "[::1]]",
                                      "[[::1]]",
                                      "[:::1]",
                                      "[1]",
                                      "[::1%25lo]",
                                      "[::1%lo]",
                                      "[fe80::1%1]",
                                      "[v1.a]",
                                      "[127.0.0.1]",
                                      "[::g]",
                                      "[1:2:3:4:5:6:7:8:9]",
                                      "[0000:0000:0000:0000:0000:0000:255.255.255.2555]",
                                      "a]b",
                                      "a[b",
                                      "a]",
                                      "[a]",
                                      "%zz",
                                      "%4",
                                      "%",
                                      "a%",
                                      "a@b",
                                      "u:p@h",
                                      "a/b",
                                      "a?b",
                                      "a#b",
                                      "a b",
                                      "a\tb",
                                      "a\\b",
                                      "a\"b",
                                      "a<b",
                                      "a|b",
                                      "a^b",
                                      "\xC3\xA4"}) {
    EXPECT_FALSE(parse_authority(text)) << text;
  }
  EXPECT_FALSE(parse_authority(std::string_view("a\0b", 3)));
  EXPECT_FALSE(parse_authority("[" + std::string(1000, ':') + "]"));
}

TEST(authority, compares) {
  const auto same = [](std::string_view left, std::string_view right, std::string_view port = "80") {
    return is_same(parse_authority(left).value(), parse_authority(right).value(), port);
  };
  EXPECT_TRUE(same("a", "A"));
  EXPECT_TRUE(same("a:80", "a"));
  EXPECT_TRUE(same("a:", "a:080"));
  EXPECT_TRUE(same("[::A]:80", "[::a]"));
  EXPECT_TRUE(same("a:443", "a", "443"));
  EXPECT_FALSE(same("a", "b"));
  EXPECT_FALSE(same("a:81", "a"));
  EXPECT_FALSE(same("a:80", "a", "443"));
  EXPECT_FALSE(same("a:0", "a"));
}

}  // namespace
