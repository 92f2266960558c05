#include <tare/net/endpoint.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace {

using tare::net::endpoint;

TEST(endpoint, gives_back_what_it_was_parsed_from) {
  const std::string longest(107, 'p');
  for (const std::string& text :
       {std::string("127.0.0.1:80"), std::string("0.0.0.0:0"), std::string("255.255.255.255:65535"),
        std::string("[::1]:443"), std::string("[::]:0"), std::string("[2001:db8::7]:8080"),
        std::string("[fe80::1%lo]:1"), std::string("unix:/run/tare.sock"), std::string("unix:relative"),
        std::string("unix:@abstract"), "unix:" + longest}) {
    const auto parsed = endpoint::parse(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    EXPECT_EQ(parsed->to_string(), text);
    EXPECT_EQ(*parsed, *endpoint::parse(text));
    EXPECT_EQ(endpoint::from(parsed->data(), parsed->size()), *parsed);
  }
}

TEST(endpoint, refuses_what_is_none) {
  for (const char* text : {"",
                           ":",
                           "80",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:65536",
                           "127.0.0.1:-1",
                           "127.0.0.1:8x",
                           "127.0.0.1: 80",
                           "127.0.0:80",
                           "localhost:80",
                           "::1:80",
                           "[::1]",
                           "[::1",
                           "[]:80",
                           "[127.0.0.1]:80",
                           "[::g]:80",
                           "[::1%]:80",
                           "[::1%no-such-interface]:80",
                           "unix:",
                           "127.0.0.1:00000000000000000000080000"}) {
    EXPECT_FALSE(endpoint::parse(text).has_value()) << text;
  }
  EXPECT_EQ(endpoint::parse("unix:" + std::string(108, 'p')).error(), std::errc::filename_too_long);
  EXPECT_FALSE(endpoint::parse(std::string_view("unix:a\0b", 8)).has_value());
  EXPECT_FALSE(endpoint::parse(std::string_view("1.1.1.1\0:80", 11)).has_value());
}

TEST(endpoint, tells_its_parts) {
  EXPECT_EQ(endpoint::loopback(7).to_string(), "127.0.0.1:7");
  EXPECT_EQ(endpoint::any(8).to_string(), "[::]:8");
  EXPECT_EQ(endpoint().to_string(), "0.0.0.0:0");
  EXPECT_EQ(endpoint::parse("[::1]:9")->port(), 9);
  EXPECT_EQ(endpoint::parse("unix:x")->port(), 0);
  EXPECT_TRUE(endpoint::parse("unix:x")->is_unix());
  auto at = endpoint::loopback(1);
  at.set_port(65535);
  EXPECT_EQ(at.port(), 65535);
  EXPECT_NE(at, endpoint::loopback(1));
  EXPECT_NE(endpoint::any(1), endpoint::loopback(1));
}

TEST(endpoint, is_one_client_with_all_ports_and_with_all_addresses_of_its_network) {
  const auto key = [](std::string_view text) { return tare::net::client_key(endpoint::parse(text).value()); };
  EXPECT_EQ(key("192.0.2.7:1"), key("192.0.2.7:2"));
  EXPECT_EQ(key("192.0.2.7:1"), key("[::ffff:192.0.2.7]:1"));
  EXPECT_NE(key("192.0.2.7:1"), key("192.0.2.8:1"));
  EXPECT_EQ(key("[2001:db8:1:2::7]:1"), key("[2001:db8:1:2:3:4:5:6]:9"));
  EXPECT_NE(key("[2001:db8:1:2::7]:1"), key("[2001:db8:1:3::7]:1"));
  EXPECT_NE(key("[::1]:1"), key("127.0.0.1:1"));
  EXPECT_EQ(key("unix:/run/tare.sock"), 0U);
}

}  // namespace
