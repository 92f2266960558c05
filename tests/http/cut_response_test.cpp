// Whatever interrupts a send, at whatever byte, nothing sent afterwards may be taken for part of it. Each message has
// its own filler character, and a strict client reads the result.

#include "frame/heap.hpp"
#include "http/memory_stream.hpp"
#include "http/strict_client.hpp"

#include <tare/http.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::request;
using tare::http::response;
using tare::http::server;
using tare::http::server_options;
using tare::http::websocket;
using tare::test::memory_stream;
using tare::test::strict_client;
using tare::test::strict_message;
using tare::test::wire;

constexpr std::size_t small_bytes = 40;
constexpr std::size_t large_bytes = 40'000;  // is not copied into one buffer with the head
const std::string small_body(small_bytes, 'A');
const std::string large_body(large_bytes, 'A');

enum class trouble : std::uint8_t {
  none,
  cancelled,        ///< tare::timeout around the send
  timed_out,        ///< write_timeout
  reset,            ///< the write fails
  request_timeout,  ///< the server cancels the handler
  no_memory,        ///< the allocation of a frame fails, and the handler ignores that
};

struct scene {
  tare::http::request& request;
  tare::http::response& response;
  std::optional<websocket>& socket;
};

using action = task<> (*)(scene);

task<> send_small(scene of) { (void)co_await of.response.send("text/plain", small_body); }
task<> send_large(scene of) { (void)co_await of.response.send("text/plain", large_body); }
task<> send_to_head(scene of) { (void)co_await of.response.send("text/plain", large_body); }
task<> stream_chunks(scene of) {
  (void)co_await of.response.write(small_body);
  (void)co_await of.response.write(large_body);
  (void)co_await of.response.write(small_body);
  (void)co_await of.response.finish();
}
task<> stream_counted(scene of) {
  (void)co_await of.response.start(2 * small_bytes + large_bytes);
  (void)co_await of.response.write(small_body);
  (void)co_await of.response.write(large_body);
  (void)co_await of.response.write(small_body);
  (void)co_await of.response.finish();
}
task<> start_only(scene of) { (void)co_await of.response.start(); }
task<> read_the_body(scene of) { (void)co_await of.request.body().read_all(); }
task<> echo_the_body(scene of) {
  auto body = co_await of.request.body().read_all();
  if (body) (void)co_await of.response.send("text/plain", *body);
}
task<> open_socket(scene of) {
  auto made = co_await websocket::accept(of.request, of.response);
  if (made) of.socket.emplace(std::move(*made));
}
task<> send_message(scene of) {
  if (!of.socket) co_await open_socket(of);
  if (of.socket) (void)co_await of.socket->send_text(small_body);
}
task<> send_messages(scene of) {
  if (!of.socket) co_await open_socket(of);
  if (!of.socket) co_return;
  (void)co_await of.socket->send_text(large_body);
  (void)co_await of.socket->send_binary(small_body);
  (void)co_await of.socket->ping("AA");
}
task<> answer_pings(scene of) {
  if (!of.socket) co_await open_socket(of);
  if (!of.socket) co_return;
  (void)co_await of.socket->receive();
}
task<> close_socket(scene of) {
  if (!of.socket) co_await open_socket(of);
  if (of.socket) (void)co_await of.socket->close(1000, "AAAA");
}

std::string ask(std::string_view line, std::string_view fields = "", std::string_view body = "") {
  return std::string(line) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

const std::string upgrade_fields =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n";
// A ping and a text, masked with zeros.
const std::string ping_and_text("\x89\x82\0\0\0\0AA\x81\x81\0\0\0\0A", 15);

struct subject {
  const char* name;
  action what;
  std::string asks;
  bool upgrades = false;

  friend void PrintTo(const subject& of, std::ostream* to) { *to << of.name; }
};

const std::string second_request = ask("GET /second");

std::vector<subject> subjects() {
  return {
      {"send_small", send_small, ask("GET /")},
      {"send_large", send_large, ask("GET /")},
      {"send_to_head", send_to_head, ask("HEAD /")},
      {"start", start_only, ask("GET /")},
      {"stream_chunks", stream_chunks, ask("GET /")},
      {"stream_counted", stream_counted, ask("GET /")},
      {"stream_to_http_1_0", stream_chunks, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"},
      {"go_on", read_the_body, ask("POST /", "Content-Length: 4\r\nExpect: 100-continue\r\n")},
      {"echo_after_go_on", echo_the_body, ask("POST /", "Content-Length: 4\r\nExpect: 100-continue\r\n")},
      {"upgrade", open_socket, ask("GET /", upgrade_fields), true},
      {"message", send_message, ask("GET /", upgrade_fields), true},
      {"messages", send_messages, ask("GET /", upgrade_fields), true},
      {"pong", answer_pings, ask("GET /", upgrade_fields, ping_and_text), true},
      {"close_frame", close_socket, ask("GET /", upgrade_fields), true},
  };
}

/// What the server does, and handlers that ignore the results of their sends.
task<> go_on_regardless(scene of) {
  if (of.socket) {
    (void)co_await of.socket->send_text(std::string(300, 'B'));
    (void)co_await tare::timeout(1s, of.socket->receive());
    (void)co_await of.socket->ping("BB");
    (void)co_await of.socket->close(1001, "BB");
    co_return;
  }
  of.response.status(503);
  (void)co_await of.response.send("text/plain", "BBBB");
  (void)co_await of.response.write("BBBB");
  (void)co_await tare::timeout(1s, of.request.body().read_all());
  (void)co_await of.response.finish();
}

struct attempt {
  subject of;
  trouble with = trouble::none;
  std::size_t at = wire::unlimited;  ///< the number of bytes that the client accepts before that
  std::uint64_t nth = 0;             ///< the allocation that fails
  bool goes_on = false;
};

struct outcome {
  std::string sent;
  bool closed = false;
  bool refused_memory = false;
};

/// Makes the client accept bytes again when the trouble is over.
void recover(wire& client) {
  client.write_error = {};
  client.take();
}

task<> with_trouble(const attempt& tried, scene of, bool& refused) {
  switch (tried.with) {
    case trouble::cancelled:
      (void)co_await tare::timeout(1s, tried.of.what(of));
      break;
    case trouble::no_memory: {
      tare::detail::current_heap->fail_at(tried.nth);
      try {
        (void)co_await tare::timeout(1s, tried.of.what(of));
      } catch (const std::bad_alloc&) {
        refused = true;
      }
      tare::detail::current_heap->fail_at(0);
      break;
    }
    default:
      co_await tried.of.what(of);
      break;
  }
}

outcome make(const attempt& tried) {
  outcome seen;
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  auto all = [&]() -> task<> {
    wire client;
    client.room = tried.at;
    if (tried.with == trouble::reset) client.write_error = std::make_error_code(std::errc::connection_reset);
    auto handle = [&](request& request, response& response) -> task<> {
      if (request.path() == "/second") {
        (void)co_await response.send("text/plain", "SECRET");
        co_return;
      }
      std::optional<websocket> socket;
      co_await with_trouble(tried, {.request = request, .response = response, .socket = socket}, seen.refused_memory);
      recover(client);
      if (tried.goes_on) co_await go_on_regardless({.request = request, .response = response, .socket = socket});
    };
    server_options options;
    options.write_timeout = tried.with == trouble::timed_out ? 500ms : 0ms;
    options.request_timeout = tried.with == trouble::request_timeout ? 500ms : 0ms;
    options.body_timeout = 2s;
    options.idle_timeout = 2s;
    options.drain_timeout = 500ms;
    server serving(handle, options);
    client.input = tried.of.asks;
    auto behave = [&]() -> task<> {
      // The body, if it was requested; then the next request, whatever has arrived.
      co_await tare::sleep_for(100ms);
      if (client.output.find(" 100 Continue\r\n\r\n") != std::string::npos) client.send("AAAA");
      if (!tried.of.upgrades) client.send(second_request);
      co_await tare::sleep_for(10s);
      recover(client);
      co_await tare::sleep_for(10s);
      client.input_ends = true;
      client.change();
    };
    co_await tare::when_all(serving.serve_stream(memory_stream(client)), behave());
    seen.sent = client.output;
    seen.closed = client.closed;
    EXPECT_EQ(serving.active_requests(), 0U);
  };
  rt.run(all());
  return seen;
}

std::string describe(const attempt& tried) {
  return std::string(tried.of.name) + ", " + std::to_string(static_cast<int>(tried.with)) + " at " +
         std::to_string(tried.at) + ", allocation " + std::to_string(tried.nth) +
         (tried.goes_on ? ", goes on" : ", gives up");
}

bool is_filled_with(std::string_view text, char with) { return text.find_first_not_of(with) == std::string_view::npos; }

/// What the action has written, followed, only if it ends with a whole piece, by what was written afterwards.
bool is_body_of_first(std::string_view body) {
  const std::size_t own = std::min(body.find_first_not_of('A'), body.size());
  if (own == body.size()) return true;
  constexpr std::array<std::size_t, 4> pieces{0, small_bytes, small_bytes + large_bytes, 2 * small_bytes + large_bytes};
  return std::ranges::find(pieces, own) != pieces.end() && std::string_view("BBBB").starts_with(body.substr(own));
}

bool asks_for_head(const attempt& tried) { return tried.of.asks.starts_with("HEAD"); }

/// A client understands what has arrived, and each byte is in the message that it belongs to.
void check(const attempt& tried, const outcome& seen) {
  SCOPED_TRACE(describe(tried));
  EXPECT_TRUE(seen.closed);
  strict_client reading(seen.sent, asks_for_head(tried));
  const auto responses = reading.responses();
  const auto frames = reading.frames();
  EXPECT_EQ(reading.error(), "");
  EXPECT_LE(responses.size(), 2U);
  for (std::size_t i = 0; i < responses.size(); ++i) {
    const strict_message& each = responses[i];
    if (each.body == "SECRET") {
      EXPECT_EQ(i, 1U);
      continue;
    }
    if (each.status == 200 && i == 0) {
      EXPECT_TRUE(is_body_of_first(each.body)) << each.body.substr(0, 80);
    } else if (each.complete) {
      EXPECT_TRUE(each.status == 101 || each.body == "BBBB" || each.status >= 400) << each.status << each.body;
    }
  }
  for (const strict_message& each : frames) {
    if (each.opcode == 8) continue;
    EXPECT_TRUE(is_filled_with(each.body, 'A') || is_filled_with(each.body, 'B')) << each.body.substr(0, 80);
  }
}

/// Every position in the first and last bytes and around each boundary, and some in between.
std::set<std::size_t> places_in(const std::string& sent) {
  std::set<std::size_t> places;
  constexpr std::size_t ends = 60;
  for (std::size_t at = 0; at <= sent.size(); at += 997) places.insert(at);
  for (std::size_t at = 0; at <= sent.size() && at < ends; ++at) places.insert(at);
  for (std::size_t back = 0; back <= sent.size() && back < ends; ++back) places.insert(sent.size() - back);
  for (std::size_t at = sent.find("\r\n"); at != std::string::npos; at = sent.find("\r\n", at + 1)) {
    for (std::size_t near = at < 2 ? 0 : at - 2; near <= at + 4 && near <= sent.size(); ++near) places.insert(near);
  }
  return places;
}

class cut_response : public testing::TestWithParam<subject> {};

TEST_P(cut_response, all_arrives_when_nothing_happens) {
  const attempt whole{.of = GetParam()};
  const outcome seen = make(whole);
  check(whole, seen);
  strict_client reading(seen.sent, asks_for_head(whole));
  const auto responses = reading.responses();
  ASSERT_FALSE(responses.empty());
  EXPECT_TRUE(responses[0].status == (GetParam().upgrades ? 101U : 200U));
}

TEST_P(cut_response, nothing_follows_what_was_cut_off) {
  const std::string whole = make({.of = GetParam()}).sent;
  for (const trouble with : {trouble::cancelled, trouble::timed_out, trouble::reset, trouble::request_timeout}) {
    for (const std::size_t at : places_in(whole)) {
      for (const bool goes_on : {false, true}) {
        const attempt tried{.of = GetParam(), .with = with, .at = at, .goes_on = goes_on};
        check(tried, make(tried));
      }
    }
    if (HasFailure()) return;
  }
}

TEST_P(cut_response, nothing_follows_what_no_memory_has_cut_off) {
  const std::string whole = make({.of = GetParam()}).sent;
  for (const std::size_t at : {std::size_t{0}, std::size_t{1}, whole.size() / 2, whole.size() - 1, wire::unlimited}) {
    bool refused = true;
    std::uint64_t nth = 1;
    for (; refused && nth < 60; ++nth) {
      for (const bool goes_on : {false, true}) {
        const attempt tried{.of = GetParam(), .with = trouble::no_memory, .at = at, .nth = nth, .goes_on = goes_on};
        const outcome seen = make(tried);
        check(tried, seen);
        refused = seen.refused_memory;
      }
    }
    EXPECT_GT(nth, 2U) << "no allocation was refused";
    EXPECT_LT(nth, 60U) << "not all allocations were tried";
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(each, cut_response, testing::ValuesIn(subjects()),
                         [](const testing::TestParamInfo<subject>& of) { return std::string(of.param.name); });

}  // namespace
