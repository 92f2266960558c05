#include "load/target.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tare::load {
namespace {

using testing::HasSubstr;

TEST(target, is_read_from_a_url) {
  const auto full = parse_target("http://127.0.0.1:8080/items/7?full=1");
  ASSERT_TRUE(full) << full.error().message;
  EXPECT_EQ(full->address.to_string(), "127.0.0.1:8080");
  EXPECT_THAT(full->request, testing::StartsWith("GET /items/7?full=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"));
  EXPECT_THAT(full->request, testing::EndsWith("\r\n\r\n"));

  const auto shortest = parse_target("http://[::1]");
  ASSERT_TRUE(shortest) << shortest.error().message;
  EXPECT_EQ(shortest->address.to_string(), "[::1]:80");
  EXPECT_THAT(shortest->request, testing::StartsWith("GET / HTTP/1.1\r\nHost: [::1]\r\n"));

  const auto named = parse_target("http://localhost:81/");
  ASSERT_TRUE(named) << named.error().message;
  EXPECT_EQ(named->address.port(), 81);
}

TEST(target, says_what_is_wrong_with_a_url) {
  for (const char* wrong : {"", "127.0.0.1:80", "http://", "http:///path", "http://127.0.0.1:99999/", "http://a b/"}) {
    const auto parsed = parse_target(wrong);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_EQ(parsed.error().kind, base::fault::input) << wrong;
    EXPECT_THAT(parsed.error().message, HasSubstr(wrong)) << wrong;
  }
  EXPECT_THAT(parse_target("ftp://127.0.0.1/").error().message, HasSubstr("only http:// and https://"));
  EXPECT_THAT(parse_target("http://name.invalid/").error().message, HasSubstr("cannot look up name.invalid"));
}

}  // namespace
}  // namespace tare::load
