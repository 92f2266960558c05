#include "http/request_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>

namespace {

using tare::http::detail::request_reader;

TEST(request_reader, holds_little_more_than_the_head_however_it_comes) {
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(12'000, 'a');
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, head.size()}) {
    request_reader reader({});
    for (std::size_t at = 0; at < head.size(); at += piece) {
      ASSERT_EQ(reader.feed(std::string_view(head).substr(at, piece)), request_reader::progress::incomplete);
      const std::size_t fed = std::min(at + piece, head.size());
      ASSERT_LE(reader.held_bytes(), fed + fed / 8 + 160) << "in pieces of " << piece;
    }
    reader.drop_head();
    EXPECT_LT(reader.held_bytes(), 32U);
  }
}

}  // namespace
