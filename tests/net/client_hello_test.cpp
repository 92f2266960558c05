// What is passed on to OpenSSL, and how much memory the handshake may use.

#include "net/tls/client_hello.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>

namespace {

using namespace tare::net::tls;

std::size_t check(std::array<unsigned, hello_head_bytes> bytes) {
  std::array<std::byte, hello_head_bytes> begin{};
  for (std::size_t i = 0; i < bytes.size(); ++i) begin.at(i) = static_cast<std::byte>(bytes.at(i));
  return check_client_hello(begin);
}

TEST(client_hello, of_every_size_up_to_16_kib_is_let_through) {
  EXPECT_EQ(check({22, 3, 1, 2, 0, 1, 0, 1, 0xFC}), handshake_bytes);
  EXPECT_EQ(check({22, 3, 3, 0x40, 0, 1, 0, 0x40, 0}), handshake_bytes);
  EXPECT_EQ(check({22, 3, 1, 0, 4, 1, 0, 0, 0}), handshake_bytes) << "OpenSSL itself reports what is wrong with it";
}

TEST(client_hello, that_announces_more_is_refused) {
  EXPECT_EQ(check({22, 3, 1, 0, 5, 1, 0, 0x40, 1}), 0U);
  EXPECT_EQ(check({22, 3, 1, 0, 5, 1, 2, 0, 0xE4}), 0U);
  EXPECT_EQ(check({22, 3, 1, 0x40, 1, 1, 0, 0x3F, 0}), 0U) << "a record larger than the maximum";
}

TEST(client_hello, in_tiny_records_may_announce_anything_and_is_admitted_with_that) {
  EXPECT_EQ(check({22, 3, 1, 0, 1, 1, 22, 3, 1}), unknown_handshake_bytes);
  EXPECT_EQ(check({22, 3, 1, 0, 3, 1, 0, 2, 22}), unknown_handshake_bytes);
}

TEST(client_hello, is_nothing_else) {
  EXPECT_EQ(check({'G', 'E', 'T', ' ', '/', ' ', 'H', 'T', 'T'}), 0U);
  EXPECT_EQ(check({21, 3, 3, 0, 2, 1, 0, 0, 0}), 0U) << "an alert";
  EXPECT_EQ(check({23, 3, 3, 0, 20, 1, 0, 0, 0}), 0U) << "data";
  EXPECT_EQ(check({22, 2, 0, 0, 20, 1, 0, 0, 0}), 0U) << "SSL 2";
  EXPECT_EQ(check({22, 3, 1, 0, 20, 2, 0, 0, 10}), 0U) << "a ServerHello";
  EXPECT_EQ(check({22, 3, 1, 0, 0, 22, 3, 1, 0}), 0U) << "a record without content";
}

}  // namespace
