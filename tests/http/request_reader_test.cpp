#include "http/request_reader.hpp"

#include "http/stored_head.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>

namespace {

using tare::http::detail::request_reader;
using tare::http::detail::stored_head;

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

TEST(stored_head, says_what_the_parsed_head_says) {
  for (const std::string_view line :
       {"GET / HTTP/1.1", "GET /a/b?c=d HTTP/1.1", "GET /a? HTTP/1.1", "GET /? HTTP/1.1", "GET /a?b?c HTTP/1.1",
        "OPTIONS * HTTP/1.1", "GET http://h HTTP/1.1", "GET http://h/ HTTP/1.1", "GET http://h?a=b HTTP/1.1",
        "GET http://h? HTTP/1.1", "GET http://h/a?b HTTP/1.1", "POST /a HTTP/1.1"}) {
    for (const std::string_view before : {"", "\r\n"}) {
      for (const std::string_view fields : {"Host: h\r\n", "Host: h\r\nContent-Length: 7\r\nX-Y:  z \r\n"}) {
        const std::string text = std::string(before) + std::string(line) + "\r\n" + std::string(fields) + "\r\n";
        request_reader reader({});
        ASSERT_EQ(reader.feed(text), request_reader::progress::head) << text;
        const auto& parsed = reader.head();
        const auto stored = stored_head::make(parsed);
        EXPECT_EQ(stored->method(), parsed.method) << text;
        EXPECT_EQ(stored->target(), parsed.target) << text;
        EXPECT_EQ(stored->path(), parsed.path) << text;
        EXPECT_EQ(stored->query(), parsed.query) << text;
        EXPECT_EQ(stored->authority(), parsed.authority) << text;
        EXPECT_EQ(stored->fields().text(), parsed.fields.text()) << text;
        EXPECT_EQ(stored->length(), parsed.length) << text;
        EXPECT_EQ(stored->chunked(), parsed.chunked) << text;
        EXPECT_EQ(stored->bytes(), 56 + line.size() + 2 + fields.size()) << text;
      }
    }
  }
}

TEST(stored_head, of_a_request_without_fields) {
  request_reader reader({});
  ASSERT_EQ(reader.feed("GET /a HTTP/1.0\r\n\r\n"), request_reader::progress::head);
  const auto stored = stored_head::make(reader.head());
  EXPECT_EQ(stored->path(), "/a");
  EXPECT_EQ(stored->authority(), "");
  EXPECT_TRUE(stored->fields().empty());
}

}  // namespace
