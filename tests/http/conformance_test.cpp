// Runs the reader on requests.toml: at once, byte by byte, and split in two at every position, always with the same
// result.

#include "http/request_cases.hpp"
#include "http/request_reader.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using tare::http::detail::request_limits;
using tare::http::detail::request_reader;
using tare::test::request_case;

struct outcome {
  std::vector<std::string> bodies;
  std::optional<unsigned> status;
  bool in_the_middle = false;  ///< the bytes ended within a request

  friend bool operator==(const outcome&, const outcome&) = default;
  friend void PrintTo(const outcome& of, std::ostream* to) {
    *to << of.bodies.size() << " accepted, then " << of.status.value_or(0) << (of.in_the_middle ? ", cut off" : "");
  }
};

outcome read_in_pieces(std::string_view bytes, const std::vector<std::size_t>& cuts, request_limits limits = {}) {
  request_reader reader(limits);
  outcome seen;
  std::string body;
  bool in_body = false;
  std::size_t at = 0;
  for (std::size_t piece = 0; piece <= cuts.size(); ++piece) {
    const std::size_t end = piece == cuts.size() ? bytes.size() : cuts[piece];
    // Until the piece is consumed, and the reader reports nothing more without further bytes.
    for (bool more = true; more;) {
      if (at == end && !in_body) break;
      const auto reached = reader.feed(bytes.substr(at, end - at));
      if (reached == request_reader::progress::refused) {
        seen.status = reader.why().status;
        return seen;
      }
      at += reader.consumed();
      switch (reached) {
        case request_reader::progress::head:
          in_body = true;
          body.clear();
          break;
        case request_reader::progress::data:
          body += reader.data();
          break;
        case request_reader::progress::complete:
          seen.bodies.push_back(body);
          in_body = false;
          reader.next(limits);
          break;
        default:
          more = false;
          break;
      }
    }
  }
  seen.in_the_middle = in_body || reader.under_way();
  return seen;
}

class conformance : public testing::TestWithParam<request_case> {};

TEST_P(conformance, whole_and_in_pieces) {
  const request_case& given = GetParam();
  const outcome whole = read_in_pieces(given.bytes, {});
  EXPECT_EQ(whole.status, given.status);
  // Requests before the refused one count only if their bodies were complete.
  EXPECT_EQ(whole.bodies, given.bodies);
  EXPECT_FALSE(whole.in_the_middle);

  std::vector<std::size_t> all;
  for (std::size_t cut = 1; cut < given.bytes.size(); ++cut) {
    EXPECT_EQ(read_in_pieces(given.bytes, {cut}), whole) << "cut at " << cut;
    all.push_back(cut);
  }
  EXPECT_EQ(read_in_pieces(given.bytes, all), whole) << "byte by byte";
}

INSTANTIATE_TEST_SUITE_P(requests, conformance, testing::ValuesIn(tare::test::request_cases()),
                         [](const testing::TestParamInfo<request_case>& of) {
                           std::string name = of.param.name;
                           for (char& c : name) {
                             const bool letter =
                                 (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
                             if (!letter) c = '_';
                           }
                           return name;
                         });

TEST(request_reader, tells_what_a_request_says) {
  request_reader reader({});
  const std::string_view bytes =
      "PUT http://example.com/items/7?tag=a%20b&x HTTP/1.1\r\nHost: example.com\r\nX-One: 1\r\nx-one: 2\r\n"
      "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc";
  ASSERT_EQ(reader.feed(bytes), request_reader::progress::head);
  const auto& head = reader.head();
  EXPECT_EQ(head.method, "PUT");
  EXPECT_EQ(head.target, "http://example.com/items/7?tag=a%20b&x");
  EXPECT_EQ(head.path, "/items/7");
  EXPECT_EQ(head.query, "tag=a%20b&x");
  EXPECT_EQ(head.fields.find("X-ONE"), "1");
  EXPECT_EQ(head.fields.count("x-one"), 2U);
  EXPECT_EQ(head.length, 3U);
  EXPECT_TRUE(head.expects_continue);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(bytes.substr(reader.consumed()), "abc");
}

TEST(request_reader, tells_which_host_is_asked) {
  const auto request = [](std::string_view bytes) {
    request_reader reader({});
    EXPECT_EQ(reader.feed(bytes), request_reader::progress::head) << bytes;
    return std::string(reader.head().authority);
  };
  EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: \ta:81\t\r\n\r\n"), "a:81");
  EXPECT_EQ(request("GET http://A:80/ HTTP/1.1\r\nHost: a\r\n\r\n"), "A:80");
  EXPECT_EQ(request("GET http://b/ HTTP/1.0\r\n\r\n"), "b");
  EXPECT_EQ(request("GET / HTTP/1.0\r\n\r\n"), "");
  EXPECT_EQ(request("OPTIONS * HTTP/1.1\r\nHost: c\r\n\r\n"), "c");
}

TEST(request_reader, knows_when_the_connection_is_to_be_kept) {
  const auto keeps = [](std::string_view bytes) {
    request_reader reader({});
    EXPECT_EQ(reader.feed(bytes), request_reader::progress::head);
    return reader.head().keep_alive;
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\t\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection:\tx\t,\tclose\t\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\nHost: a\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"));
}

TEST(request_reader, limits_the_head) {
  const request_limits limits{.head_bytes = 100, .fields = 3, .body_bytes = 10};
  const auto status = [&](const std::string& bytes) { return read_in_pieces(bytes, {}, limits).status; };
  const std::string host = "Host: a\r\n";
  EXPECT_EQ(status("GET /" + std::string(200, 'a')), 414U);
  EXPECT_EQ(status("GET / HTTP/1.1\r\n" + host + "X: " + std::string(200, 'a')), 431U);
  EXPECT_EQ(status("GET / HTTP/1.1\r\n" + host + "A: 1\r\nB: 2\r\nC: 3\r\n\r\n"), 431U);
  EXPECT_EQ(status("GET / HTTP/1.1\r\n" + host + "A: 1\r\nB: 2\r\n\r\n"), std::nullopt);
  // Exactly the limit, and one more.
  const std::string start = "GET / HTTP/1.1\r\n" + host + "X: ";
  EXPECT_EQ(status(start + std::string(100 - start.size() - 4, 'a') + "\r\n\r\n"), std::nullopt);
  EXPECT_EQ(status(start + std::string(101 - start.size() - 4, 'a') + "\r\n\r\n"), 431U);
}

TEST(request_reader, limits_the_body) {
  const request_limits limits{.head_bytes = 200, .fields = 10, .body_bytes = 10};
  const auto status = [&](const std::string& bytes) { return read_in_pieces(bytes, {}, limits).status; };
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(status(start + "Content-Length: 10\r\n\r\n0123456789"), std::nullopt);
  EXPECT_EQ(status(start + "Content-Length: 11\r\n\r\n"), 413U);
  const std::string chunked = start + "Transfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(status(chunked + "a\r\n0123456789\r\n0\r\n\r\n"), std::nullopt);
  EXPECT_EQ(status(chunked + "6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n"), 413U);
  EXPECT_EQ(status(chunked + "1\r\n0\r\n0\r\n" + std::string(20, 'A') + ": 1\r\n\r\n"), std::nullopt);
  EXPECT_EQ(status(chunked + "1;" + std::string(300, 'a') + "\r\n0\r\n0\r\n\r\n"), 413U);
  EXPECT_EQ(status(chunked + "1\r\n0\r\n0\r\n" + std::string(300, 'A') + ": 1\r\n\r\n"), 413U);
}

}  // namespace
