// The client's reader of responses.

#include "http/response_reader.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace {

using tare::http::errc;
using tare::http::detail::response_limits;
using tare::http::detail::response_reader;

/// "200 body|404 |", followed by "error N", or by "open" if the end of the connection is not the end of the response.
std::string read(std::string_view bytes, std::size_t piece_size, std::string_view method = "GET",
                 response_limits limits = {}) {
  response_reader reader(limits);
  reader.next(method);
  std::string seen;
  bool in_body = false;
  for (std::size_t at = 0; at < bytes.size();) {
    std::string_view piece = bytes.substr(at, piece_size);
    at += piece.size();
    while (!piece.empty() || in_body) {
      const auto reached = reader.feed(piece);
      if (reached == response_reader::progress::failed) {
        return seen + "error " + std::to_string(static_cast<unsigned>(reader.error()));
      }
      piece.remove_prefix(reader.consumed());
      if (reached == response_reader::progress::incomplete) break;
      if (reached == response_reader::progress::head) {
        in_body = true;
        seen += std::to_string(reader.status()) + " ";
      } else if (reached == response_reader::progress::data) {
        seen += reader.data();
      } else {
        in_body = false;
        seen += reader.keep_alive() || reader.status() < 200 ? "|" : "!";
        reader.next(method);
      }
    }
  }
  if (!in_body && !reader.under_way()) return seen;
  return seen + (reader.end_of_stream() == response_reader::progress::complete ? "end" : "cut off");
}

std::string in_all_ways(std::string_view bytes, std::string_view method = "GET", response_limits limits = {}) {
  const std::string whole = read(bytes, SIZE_MAX, method, limits);
  for (const std::size_t piece : {1UL, 2UL, 3UL, 7UL, 16UL})
    EXPECT_EQ(read(bytes, piece, method, limits), whole) << piece;
  return whole;
}

TEST(response_reader, finds_the_end_of_a_body) {
  EXPECT_EQ(in_all_ways(
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
            "200 hello|404 |");
  EXPECT_EQ(in_all_ways("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
            "200 abcde|");
  EXPECT_EQ(in_all_ways("HTTP/1.1 200 OK\r\n\r\nuntil the end"), "200 until the endend");
  EXPECT_EQ(in_all_ways("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
            "204 |304 |");
  EXPECT_EQ(in_all_ways("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"), "100 |200 a|");
  EXPECT_EQ(in_all_ways("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD"), "200 |");
  EXPECT_EQ(in_all_ways("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na"), "200 a!");
  EXPECT_EQ(in_all_ways("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"), "200 a!");
  EXPECT_EQ(in_all_ways("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na"), "200 a|") << "without a reason";
}

TEST(response_reader, notices_what_is_cut_off) {
  EXPECT_EQ(in_all_ways("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"), "200 helcut off");
  EXPECT_EQ(in_all_ways("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"), "200 abccut off");
  EXPECT_EQ(in_all_ways("HTTP/1.1 200 OK\r\nContent-Le"), "cut off");
}

TEST(response_reader, refuses_what_could_be_understood_in_two_ways) {
  const std::string malformed = "error " + std::to_string(static_cast<unsigned>(errc::malformed));
  for (const std::string_view bytes : {
           "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
           "HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n",
           "HTTP/1.1 200 OK\r\n: 1\r\n\r\n",
           "HTTP/2.0 200 OK\r\n\r\n",
           "HTTP/1.1 600 What\r\nContent-Length: 0\r\n\r\n",
           "ICY 200 OK\r\n\r\n",
       }) {
    EXPECT_EQ(in_all_ways(bytes), malformed) << bytes;
  }
}

TEST(response_reader, limits_the_head) {
  const response_limits limits{.head_bytes = 60, .fields = 2};
  const std::string too_large = "error " + std::to_string(static_cast<unsigned>(errc::head_too_large));
  EXPECT_EQ(in_all_ways("HTTP/1.1 200 OK\r\nX: " + std::string(100, 'x'), "GET", limits), too_large);
  EXPECT_EQ(in_all_ways("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", "GET", limits), too_large);
}

}  // namespace
