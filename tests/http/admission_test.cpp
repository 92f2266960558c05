// What the server does when the memory budget has no room.

#include <tare/http/admission.hpp>

#include "http/loopback.hpp"

#include <tare/event.hpp>
#include <tare/net/idle.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::test::raw_client;

namespace http = tare::http;

constexpr const char* get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
// Much more than any machine has, so the result depends on the arithmetic and not on the memory that the test uses.
constexpr std::size_t limit = std::size_t{64} << 30U;
constexpr std::size_t too_much = limit * 2;

task<> hello(http::request& /*request*/, http::response& response) {
  (void)co_await response.send("text/plain", "hello");
}

/// Like with_server, in a runtime with a limit.
void serve(http::handler handle, http::server_options options, std::function<task<>(std::uint16_t)> use) {
  auto all = [&]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0));
    if (!listening) throw std::runtime_error("bind: " + listening.error().message());
    const std::uint16_t port = listening->local()->port();
    http::server server(std::move(handle), std::move(options));
    auto run = [&]() -> task<> { EXPECT_TRUE(co_await server.serve(std::move(*listening))); };
    auto ask = [&]() -> task<> {
      co_await use(port);
      server.stop();
    };
    co_await tare::when_all(run(), ask());
  };
  tare::runtime rt({.memory_limit = limit});
  rt.run(all());
}

TEST(http_admission, a_request_for_which_there_is_no_room_gets_a_503_and_keeps_its_connection) {
  serve(http::admitted(hello, too_much, 7s), {}, [](std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    for (int i = 0; i < 3; ++i) {
      const auto refused = co_await client.ask(get);
      EXPECT_EQ(refused.status, 503U);
      EXPECT_NE(refused.head.find("retry-after: 7\r\n"), std::string::npos) << refused.head;
    }
    EXPECT_EQ(tare::memory().refusals(), 3U);
    EXPECT_LT(tare::memory().promised(), 6000U) << "what the last request held";
  });
}

TEST(http_admission, a_request_for_which_there_is_room_is_counted_while_it_lasts) {
  std::size_t meanwhile = 0;
  auto look = [&](http::request& /*request*/, http::response& response) -> task<> {
    meanwhile = tare::memory().promised();
    (void)co_await response.send("text/plain", "hello");
  };
  serve(http::admitted(look, 100'000), {}, [](std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    EXPECT_EQ((co_await client.ask(get)).body, "hello");
    EXPECT_EQ((co_await client.ask(get)).body, "hello");
  });
  EXPECT_GE(meanwhile, 100'000U);
  EXPECT_LT(meanwhile, 106'000U);
}

TEST(http_admission, connections_wait_in_the_backlog_and_stopping_works_all_the_same) {
  serve(hello, {.connection_bytes = too_much, .shed_idle = true}, [](std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    auto answered = co_await tare::timeout(100ms, client.ask(get));
    EXPECT_FALSE(answered);
  });
}

TEST(http_admission, with_room_connections_are_accepted) {
  serve(hello, {.connection_bytes = 1000}, [](std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    EXPECT_EQ((co_await client.ask(get)).status, 200U);
  });
}

TEST(http_admission, connections_that_have_been_idle_longest_are_shed_first) {
  serve(hello, {}, [](std::uint16_t port) -> task<> {
    std::vector<raw_client> clients;
    for (int i = 0; i < 3; ++i) {
      clients.push_back(co_await raw_client::connect(port));
      EXPECT_EQ((co_await clients.back().ask(get)).status, 200U);
      co_await tare::sleep_for(300ms);  // deadlines have a resolution of an eighth of a second
    }
    // Use the first one again.
    EXPECT_EQ((co_await clients[0].ask(get)).status, 200U);
    co_await tare::sleep_for(300ms);
    EXPECT_EQ(tare::net::expire_idle(1), 1U);
    EXPECT_EQ((co_await clients[1].read_all()), "");
    EXPECT_EQ((co_await clients[0].ask(get)).status, 200U);
    EXPECT_EQ((co_await clients[2].ask(get)).status, 200U);
    EXPECT_EQ(tare::net::expire_idle(100), 2U);
  });
}

/// Takes all the room that is not kept in reserve.
task<tare::memory_share> take_all_room() {
  tare::memory_share all = tare::memory().try_admit(1);
  // The process may hold more than when the runtime began, as under sanitizers. That leaves room once the kernel's
  // figure has been read again, after a millisecond, because the share's memory is never touched.
  for (int look = 0; look < 2; ++look) {
    for (std::size_t step = limit; step != 0; step /= 2) (void)all.try_grow_to(all.bytes() + step);
    co_await tare::sleep_for(5ms);
  }
  co_return all;
}

TEST(http_admission, where_there_is_no_room_requests_are_refused_and_urgent_ones_are_answered) {
  serve(hello, {.urgent_paths = {"/healthz"}}, [](std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    {
      const tare::memory_share all = co_await take_all_room();
      const auto refused = co_await client.ask(get);
      EXPECT_EQ(refused.status, 503U);
      EXPECT_NE(refused.head.find("retry-after: 1\r\n"), std::string::npos) << refused.head;
      // Until the kernel's figure is read again, promised memory counts in addition to what the process holds.
      co_await tare::sleep_for(5ms);
      const auto urgent = co_await client.ask("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
      EXPECT_EQ(urgent.status, 200U);
    }
    EXPECT_EQ((co_await client.ask(get)).status, 200U) << "there must be room again";
  });
}

// The beginnings of heads that are never completed.
TEST(http_admission, beginnings_of_urgent_requests_leave_room_for_whole_ones) {
  constexpr const char* urgent = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const char* beginning : {"G", "GET /", "GET /healthz", "GET /healthz HTTP/1.1\r\nHost: h\r\n"}) {
    serve(hello, {.urgent_paths = {"/healthz"}}, [&](std::uint16_t port) -> task<> {
      auto honest = co_await raw_client::connect(port);
      const tare::memory_share all = co_await take_all_room();
      {
        std::vector<raw_client> others;
        for (int i = 0; i < 200; ++i) {
          others.push_back(co_await raw_client::connect(port));
          co_await others.back().send(beginning);
        }
        co_await tare::sleep_for(5ms);
        EXPECT_EQ((co_await honest.ask(urgent)).status, 200U) << beginning;
      }
      // When they have left, a head may arrive in pieces again.
      co_await tare::sleep_for(5ms);
      auto slow = co_await raw_client::connect(port);
      for (const char* piece : {"GE", "T /heal", "thz HTTP/1.1\r\nHo"}) {
        co_await slow.send(piece);
        co_await tare::sleep_for(5ms);
      }
      EXPECT_EQ((co_await slow.ask("st: h\r\n\r\n")).status, 200U) << beginning;
    });
  }
}

TEST(http_admission, a_request_that_only_begins_like_an_urgent_one_is_refused) {
  serve(hello, {.urgent_paths = {"/healthz"}}, [](std::uint16_t port) -> task<> {
    const tare::memory_share all = co_await take_all_room();
    for (const char* rest : {"z HTTP/1.1\r\nHost: h\r\n\r\n", "/x HTTP/1.1\r\nHost: h\r\n\r\n", "z"}) {
      auto client = co_await raw_client::connect(port);
      co_await client.send("GET /healthz");
      co_await tare::sleep_for(5ms);
      EXPECT_EQ((co_await client.ask(rest)).status, 503U) << rest;
    }
    // None of them has kept what only one may have.
    auto slow = co_await raw_client::connect(port);
    co_await slow.send("GET /healthz");
    co_await tare::sleep_for(5ms);
    EXPECT_EQ((co_await slow.ask("?full HTTP/1.1\r\nHost: h\r\n\r\n")).status, 200U);
  });
}

TEST(http_admission, what_an_urgent_request_reserves_later_is_urgent_too) {
  constexpr std::size_t more = 16'000;
  for (const bool is_urgent : {true, false}) {
    // Admitted while there is room; it is gone when the handler asks for more.
    auto reserves = [&](http::request& request, http::response& response) -> task<> {
      const tare::memory_share all = co_await take_all_room();
      const tare::memory_share reserve = co_await tare::memory().admit(1, 1s);
      EXPECT_TRUE(reserve.has_reserve());
      const bool fits = co_await request.reserve(more);
      (void)co_await response.status(fits ? 200 : 503).send("text/plain", "");
    };
    serve(reserves, {.room_timeout = 50ms, .urgent_paths = {"/healthz"}}, [&](std::uint16_t port) -> task<> {
      auto client = co_await raw_client::connect(port);
      const auto got = co_await client.ask(is_urgent ? "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" : get);
      EXPECT_EQ(got.status, is_urgent ? 200U : 503U);
    });
  }
}

TEST(http_admission, a_stream_that_may_last_for_ever_keeps_room_for_what_it_holds_only) {
  std::size_t before = 0;
  std::size_t meanwhile = 0;
  auto stream = [&](http::request& /*request*/, http::response& response) -> task<> {
    before = tare::memory().promised();
    (void)co_await response.write("one");
    meanwhile = tare::memory().promised();
    (void)co_await response.finish();
  };
  serve(http::admitted(stream, 100'000), {}, [](std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    co_await client.send(get);
    (void)co_await client.read_through("0\r\n\r\n");
  });
  EXPECT_GE(before, 100'000U);
  EXPECT_LT(meanwhile, 6000U);
}

TEST(http_admission, a_handler_says_what_it_is_going_to_hold) {
  std::vector<std::size_t> seen;
  bool too_much_fits = true;
  auto says = [&](http::request& request, http::response& response) -> task<> {
    for (const std::size_t bytes : {50'000UL, 10'000UL, 0UL}) {
      const bool fits = co_await request.reserve(bytes);
      EXPECT_TRUE(fits);
      seen.push_back(tare::memory().promised());
    }
    too_much_fits = co_await request.reserve(too_much);
    seen.push_back(tare::memory().promised());
    (void)co_await response.send("text/plain", "hello");
  };
  serve(says, {.room_timeout = 50ms}, [](std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    EXPECT_EQ((co_await client.ask(get)).status, 200U);
  });
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen[0] - seen[2], 50'000U);
  EXPECT_EQ(seen[1] - seen[2], 10'000U);
  EXPECT_FALSE(too_much_fits);
  EXPECT_EQ(seen[3], seen[2]) << "the earlier promise must still hold";
}

/// A request that waits for more room than there is, until it times out or is cancelled.
struct vain_wait {
  const char* name;
  bool is_cancelled;
  std::size_t free_bytes;  ///< free when it begins to wait
  std::function<task<bool>(http::request&)> waits;

  friend void PrintTo(const vain_wait& shown, std::ostream* to) { *to << shown.name; }
};

task<bool> reserves(http::request& request) { return request.reserve(4'000'000); }

task<bool> reads_all(http::request& request) {
  const auto whole = co_await request.body().read_all();
  co_return whole.has_value();
}

task<bool> reads_a_piece(http::request& request) {
  const auto piece = co_await request.body().read();
  co_return piece.has_value();
}

constexpr std::size_t for_a_buffer = 10'000;

const std::vector<vain_wait> vain_waits{
    {"reserve_refused", false, 0, reserves},
    {"reserve_cancelled", true, 0, reserves},
    {"piece_refused", false, 0, reads_a_piece},
    {"piece_cancelled", true, 0, reads_a_piece},
    {"buffer_of_the_whole_body_refused", false, 0, reads_all},
    {"buffer_of_the_whole_body_cancelled", true, 0, reads_all},
    {"whole_body_refused", false, for_a_buffer, reads_all},
    {"whole_body_cancelled", true, for_a_buffer, reads_all},
};

class http_admission_in_vain : public testing::TestWithParam<vain_wait> {};

TEST_P(http_admission_in_vain, leaves_the_request_with_what_it_held) {
  std::size_t before = 0;
  std::size_t after = 0;
  tare::event waits;
  auto handler = [&](http::request& request, http::response& response) -> task<> {
    before = tare::memory().promised();
    {
      tare::memory_share all = co_await take_all_room();
      all.shrink_to(all.bytes() - GetParam().free_bytes);
      waits.set();
      const auto fits = co_await tare::timeout(GetParam().is_cancelled ? 20ms : 10s, GetParam().waits(request));
      EXPECT_EQ(fits.has_value(), !GetParam().is_cancelled);
      EXPECT_FALSE(fits && *fits);
    }
    // Resizing the share shows what the request is counted as holding.
    (void)co_await response.write("one");
    after = tare::memory().promised();
    (void)co_await response.finish();
  };
  constexpr std::size_t body_bytes = 60'000;
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body_bytes) + "\r\n\r\n";
  const auto room_timeout = GetParam().is_cancelled ? 10s : 50ms;
  serve(handler, {.request_bytes = 1, .room_timeout = room_timeout}, [&](std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    co_await client.send(head);
    co_await waits.wait();  // so that no part of the body is read together with the head
    co_await client.send(std::string(body_bytes, 'b'));
    (void)co_await client.read_through("0\r\n\r\n");
  });
  EXPECT_GT(before, 0U);
  // A piece of the body that has been read stays in its buffer.
  const std::size_t buffered = GetParam().free_bytes == 0 ? 0 : 8192;
  EXPECT_LE(after, before + buffered);
}

INSTANTIATE_TEST_SUITE_P(waits, http_admission_in_vain, testing::ValuesIn(vain_waits),
                         [](const testing::TestParamInfo<vain_wait>& tested) {
                           return std::string(tested.param.name);
                         });

}  // namespace
