// What clients make the server hold stays within the memory budget, in whatever part of a request they stop. Another
// client that comes meanwhile is served or refused, and when they have left, everything is as before. The budget is
// what this process holds plus a few MiB.

#include "frame/resident_memory.hpp"
#include "http/loopback.hpp"
#include "http/system_client.hpp"

#include <tare/http/admission.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::test::system_client;

namespace http = tare::http;

constexpr std::size_t mib = 1U << 20U;
constexpr const char* get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr int crowd_size = 2500;
constexpr std::size_t held_bytes = 15'000;  // per attacker; four times the budget in total
constexpr std::size_t budget_bytes = 9 * mib;

task<> answer(http::request& request, http::response& to) {
  if (request.path() == "/unread") co_return;
  if (request.path() == "/large") {
    const std::string body(held_bytes * 4, 'a');
    (void)co_await to.send("text/plain", body);
    co_return;
  }
  auto body = co_await request.body().read_all();
  if (!body) co_return;
  (void)co_await to.send("text/plain", "hello");
}

struct bomb {
  const char* name;
  /// What an attacker sends, in this order, with pauses in between.
  std::vector<std::string> pieces;

  friend void PrintTo(const bomb& shown, std::ostream* to) { *to << shown.name; }
};

std::string head_of(std::size_t bytes) { return "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(bytes, 'a'); }

std::vector<std::string> in_pieces(const std::string& text, std::size_t count) {
  std::vector<std::string> pieces;
  const std::size_t size = text.size() / count + 1;
  for (std::size_t at = 0; at < text.size(); at += size) pieces.push_back(text.substr(at, size));
  return pieces;
}

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

const std::vector<bomb> bombs{
    {.name = "a_head", .pieces = {head_of(held_bytes)}},
    {.name = "a_head_in_pieces", .pieces = in_pieces(head_of(held_bytes), 20)},
    {.name = "a_head_behind_a_request", .pieces = {get + head_of(7000), std::string(7000, 'a')}},
    {.name = "a_body",
     .pieces = {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 16000\r\n\r\n", std::string(held_bytes, 'a')}},
    {.name = "a_chunked_body",
     .pieces = {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
                "4000\r\n" + std::string(held_bytes, 'a')}},
    {.name = "a_large_head_and_a_body",
     .pieces = {head_of(7000) + "\r\nContent-Length: 16000\r\n\r\n", std::string(8000, 'a')}},
    {.name = "a_body_that_nobody_reads",
     .pieces = {"POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 16000\r\n\r\n", std::string(held_bytes, 'a')}},
    {.name = "pipelined_requests", .pieces = {repeated(get, 270), repeated(get, 270)}},
};

class http_budget : public testing::TestWithParam<bomb> {};

/// An attacker reads nothing, and its system buffers little.
void attack(std::vector<system_client>& crowd, const std::string& piece) {
  for (system_client& each : crowd) each.send(piece);
}

/// Returns the most memory that the process held.
std::size_t play(const bomb& thrown, std::size_t limit, int attackers) {
  std::size_t most = 0;
  auto body = [&]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0));
    if (!listening) throw std::runtime_error("bind: " + listening.error().message());
    const std::uint16_t port = listening->local()->port();
    http::server server(answer, {.head_timeout = 20s,
                                 .body_timeout = 20s,
                                 .connection_bytes = 16U << 10U,
                                 .shed_idle = true,
                                 .request_bytes = 64U << 10U});
    auto run = [&]() -> task<> { EXPECT_TRUE(co_await server.serve(std::move(*listening))); };
    auto watch = [&]() -> task<> {
      for (;;) {
        most = std::max(most, tare::detail::resident_bytes());
        co_await tare::sleep_for(1ms);
      }
    };
    auto use = [&](tare::scope& s) -> task<> {
      s.spawn(watch());
      {
        std::vector<system_client> crowd;
        crowd.reserve(static_cast<std::size_t>(attackers));
        for (int i = 0; i < attackers; ++i) {
          crowd.emplace_back(port);
          if (i % 100 == 99) co_await tare::sleep_for(2ms);
        }
        for (const std::string& piece : thrown.pieces) {
          attack(crowd, piece);
          co_await tare::sleep_for(20ms);
        }
        system_client honest(port);
        (void)co_await honest.answers(get, 5s);
        EXPECT_TRUE(honest.status() == 200 || honest.status() == 503) << honest.text();
      }
      co_await tare::sleep_for(100ms);
      bool served = false;
      for (int i = 0; i < 100 && !served; ++i) {
        system_client after(port);
        served = co_await after.answers(get);
      }
      EXPECT_TRUE(served);
      for (int i = 0; i < 1000 && tare::memory().promised() != 0; ++i) co_await tare::sleep_for(1ms);
      EXPECT_EQ(tare::memory().promised(), 0U);
      s.cancel();
    };
    auto all = [&](tare::scope& s) -> task<> {
      s.spawn(run());
      co_await tare::with_scope(use);
      server.stop();
    };
    co_await tare::with_scope(all);
  };
  tare::runtime rt({.memory_limit = limit});
  rt.run(body());
  return most;
}

TEST_P(http_budget, is_kept_and_the_server_serves_again) {
  // Code that runs for the first time becomes resident; clients do not cause that.
  (void)play(GetParam(), SIZE_MAX, 10);
  const std::size_t limit = tare::detail::resident_bytes() + budget_bytes;
  const std::size_t most = play(GetParam(), limit, crowd_size);
  std::cout << GetParam().name << ": at most " << most / 1024 << " KiB of " << limit / 1024 << '\n';
  // With such a small budget, what is admitted between two readings of the process's memory matters more than with a
  // realistic one.
  EXPECT_LE(most, limit + limit / 20 + mib / 2);
}

INSTANTIATE_TEST_SUITE_P(bombs, http_budget, testing::ValuesIn(bombs),
                         [](const testing::TestParamInfo<bomb>& tested) { return std::string(tested.param.name); });

}  // namespace
