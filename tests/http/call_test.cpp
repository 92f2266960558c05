#include "frame/heap.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/http.hpp>
#include <tare/http/test.hpp>
#include <tare/tare.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::handler;
using tare::http::request;
using tare::http::response;
using tare::http::router;
using tare::http::server_options;
using tare::http::test::call;
using tare::http::test::reply;
using testing::HasSubstr;

reply reply_of(handler handle, tare::http::test::request request, server_options options = {}) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  return rt.run(call(std::move(handle), std::move(request), std::move(options)));
}

/// Responds with what it was asked.
task<> describe(request& request, response& response) {
  auto body = co_await request.body().read_all();
  if (!body) co_return;
  std::string text(request.method());
  text += ' ' + std::string(request.target()) + ' ' + std::string(request.authority()) + ' ' + *body;
  if (const auto type = request.fields().find("content-type")) text += ' ' + std::string(*type);
  response.set("x-one", "1").add("x-two", "2");
  (void)co_await response.status(201).send("text/plain", text);
}

TEST(http_call, gives_the_handler_the_request_and_returns_its_response) {
  const reply got = reply_of(describe, {.method = "POST",
                                        .target = "/items?a=b",
                                        .fields = tare::http::fields().add("content-type", "text/csv"),
                                        .body = "one,two"});
  EXPECT_EQ(got.status, 201U);
  EXPECT_EQ(got.body, "POST /items?a=b localhost one,two text/csv");
  EXPECT_EQ(got.fields.find("content-type"), "text/plain");
  EXPECT_EQ(got.fields.find("X-One"), "1");
  EXPECT_EQ(got.fields.find("x-two"), "2");
  EXPECT_EQ(got.fields.find("connection"), std::nullopt);
  EXPECT_TRUE(got.is_complete);
}

TEST(http_call, asks_a_router) {
  router routes;
  routes.get("/items/{id}", [](request& request, response& response) -> task<> {
    (void)co_await response.send("text/plain", request.param("id"));
  });
  EXPECT_EQ(reply_of(routes, {.target = "/items/a%20b"}).body, "a b");
  EXPECT_EQ(reply_of(routes, {.target = "/nothing"}).status, 404U);
  const reply refused = reply_of(routes, {.method = "DELETE", .target = "/items/7"});
  EXPECT_EQ(refused.status, 405U);
  EXPECT_THAT(std::string(refused.fields.find("allow").value_or("")), HasSubstr("GET"));
}

TEST(http_call, sends_chunks_and_a_host_of_the_callers_own) {
  const reply got =
      reply_of(describe, {.method = "PUT",
                          .fields = tare::http::fields().add("host", "example.com").add("transfer-encoding", "chunked"),
                          .body = "3\r\nabc\r\n0\r\n\r\n"});
  EXPECT_EQ(got.body, "PUT / example.com abc");
}

TEST(http_call, skips_interim_responses) {
  const reply got = reply_of(
      describe, {.method = "POST", .fields = tare::http::fields().add("expect", "100-continue"), .body = "abc"});
  EXPECT_EQ(got.status, 201U);
  EXPECT_EQ(got.body, "POST / localhost abc");
}

TEST(http_call, has_no_body_where_http_has_none) {
  const reply head = reply_of(describe, {.method = "HEAD", .target = "/"});
  EXPECT_EQ(head.status, 201U);
  EXPECT_EQ(head.body, "");
  EXPECT_TRUE(head.is_complete);
  const auto nothing = [](request& /*request*/, response& response) -> task<> {
    (void)co_await response.status(204).send();
  };
  const reply empty = reply_of(nothing, {});
  EXPECT_EQ(empty.status, 204U);
  EXPECT_TRUE(empty.is_complete);
}

TEST(http_call, large_bodies_pass_both_ways) {
  const std::string much(1'000'000, 'x');
  const auto echo = [](request& request, response& response) -> task<> {
    for (;;) {
      auto piece = co_await request.body().read();
      if (!piece || piece->empty()) break;
      (void)co_await response.write({reinterpret_cast<const char*>(piece->data()), piece->size()});
    }
  };
  const reply got = reply_of(echo, {.method = "POST", .body = much});
  EXPECT_EQ(got.body, much);
  EXPECT_TRUE(got.is_complete);
}

TEST(http_call, limits_are_those_of_the_server) {
  EXPECT_EQ(reply_of(describe, {.method = "POST", .body = "abc"}, {.max_body_bytes = 2}).status, 413U);
  EXPECT_EQ(reply_of(describe, {.target = '/' + std::string(20'000, 'x')}).status, 414U);
  EXPECT_EQ(reply_of(describe, {.fields = tare::http::fields().add("content-length", "x")}).status, 400U);
}

TEST(http_call, a_handler_that_fails) {
  std::string thrown;
  server_options noted;
  noted.on_error = [&](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::runtime_error& caught) {
      thrown = caught.what();
    }
  };
  const auto fail = [](request& request, response& response) -> task<> {
    if (request.path() == "/late") (void)co_await response.write("half");
    throw std::runtime_error("broken");
  };
  const reply before = reply_of(fail, {}, noted);
  EXPECT_EQ(before.status, 500U);
  EXPECT_TRUE(before.is_complete);
  EXPECT_EQ(thrown, "broken");
  const reply after = reply_of(fail, {.target = "/late"}, noted);
  EXPECT_EQ(after.status, 200U);
  EXPECT_EQ(after.body, "half");
  EXPECT_FALSE(after.is_complete);
}

TEST(http_call, waits_in_virtual_time) {
  const auto wait = [](request& /*request*/, response& response) -> task<> {
    co_await tare::sleep_for(1h);
    (void)co_await response.send("text/plain", "late");
  };
  EXPECT_EQ(reply_of(wait, {}).body, "late");
  const reply limited = reply_of(wait, {}, {.request_timeout = 1min});
  EXPECT_EQ(limited.status, 503U);
}

TEST(http_call, is_cancelled_with_the_handler) {
  bool was_cancelled = false;
  const auto wait = [&](request& /*request*/, response& /*response*/) -> task<> {
    try {
      co_await tare::sleep_for(24h);
    } catch (const tare::cancelled&) {
      was_cancelled = true;
      throw;
    }
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run([&]() -> task<> {
    const auto began = tare::now();
    auto calling = call(wait, {}, {.drain_timeout = 10s});
    const auto got = co_await tare::timeout(1min, std::move(calling));
    EXPECT_TRUE(was_cancelled);
    EXPECT_EQ(got.value_or(reply{}).status, 503U);
    EXPECT_LE(tare::now() - began, 1min + 13s);
  }());
}

TEST(http_call, a_handler_that_takes_the_connection_reads_its_end) {
  std::error_code error;
  const auto chat = [&](request& request, response& response) -> task<> {
    auto socket = co_await tare::http::websocket::accept(request, response);
    if (!socket) co_return;
    auto message = co_await socket->receive();
    if (!message) error = message.error();
  };
  const reply got = reply_of(chat, {.fields = tare::http::fields()
                                                  .add("upgrade", "websocket")
                                                  .add("connection", "upgrade")
                                                  .add("sec-websocket-version", "13")
                                                  .add("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")});
  EXPECT_EQ(got.status, 101U);
  EXPECT_TRUE(error);
}

TEST(http_call, counts_in_the_memory_budget) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time, .memory_limit = std::size_t{1} << 40U});
  const std::size_t held_before = rt.memory().promised();
  std::size_t held = 0;
  const auto look = [&](request& request, response& response) -> task<> {
    EXPECT_TRUE(co_await request.reserve(1U << 20U));
    held = rt.memory().promised() - held_before;
    (void)co_await response.send("text/plain", "held");
  };
  EXPECT_EQ(rt.run(call(look, {})).status, 200U);
  EXPECT_GE(held, std::size_t{1} << 20U);
  EXPECT_EQ(rt.memory().promised(), held_before);
}

/// Whichever allocation of a frame or buffer is refused: an error of some kind, never a wrong response; and then it
/// works again.
TEST(http_call, each_allocation_in_turn_may_fail) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run([]() -> task<> {
    const server_options silent{.on_error = [](const std::exception_ptr& /*error*/) {}};
    auto& frames = *tare::detail::current_heap;
    int failed = 0;
    for (std::uint64_t nth = 1; nth <= 40; ++nth) {
      auto* const shelves = std::exchange(tare::detail::current_shelves, nullptr);
      frames.trim();
      frames.fail_at(nth);
      reply got;
      bool thrown = false;
      try {
        auto calling = call(describe, {.method = "POST", .body = "abc"}, silent);
        got = co_await std::move(calling);
      } catch (const std::bad_alloc&) {
        thrown = true;
      }
      frames.fail_at(0);
      tare::detail::current_shelves = shelves;
      const bool answered = got.is_complete && got.status == 201;
      failed += answered ? 0 : 1;
      if (answered) {
        EXPECT_EQ(got.body, "POST / localhost abc") << nth;
      }
      if (!answered && !thrown) {
        EXPECT_TRUE(!got.is_complete || got.status >= 500) << nth << ": " << got.status;
      }
      auto again = call(describe, {});
      const reply after = co_await std::move(again);
      EXPECT_EQ(after.status, 201U) << "after allocation " << nth;
    }
    EXPECT_GE(failed, 3);
    EXPECT_LT(failed, 40) << "40 are not all";
  });
}

TEST(http_call, a_handler_may_discard_the_head) {
  for (const bool before_the_body : {true, false}) {
    const auto echo = [before_the_body](request& request, response& response) -> task<> {
      const std::string target(request.target());
      if (before_the_body) request.discard();
      request.body().limit(100);
      auto body = co_await request.body().read_all();
      request.discard();
      request.discard();
      EXPECT_TRUE(co_await request.reserve(10));
      EXPECT_EQ(request.minor_version(), 1U);
      (void)co_await response.send("text/plain", target + ' ' + body.value_or("none"));
    };
    EXPECT_EQ(reply_of(echo, {.method = "PUT", .target = "/a?b", .body = "abc"}).body, "/a?b abc");
    const std::string chunks = "3\r\nabc\r\n0\r\n\r\n";
    const tare::http::fields chunked = tare::http::fields().add("transfer-encoding", "chunked");
    EXPECT_EQ(reply_of(echo, {.method = "PUT", .fields = chunked, .body = chunks}).body, "/ abc");
    // Without the head the server still knows that the response to HEAD has no body.
    const reply head = reply_of(echo, {.method = "HEAD"});
    EXPECT_EQ(head.fields.find("content-length"), "2");
    EXPECT_EQ(head.body, "");
  }
}

TEST(http_call, a_discarded_head_is_not_mistaken_for_an_empty_one) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  struct access {
    const char* name;
    void (*call)(request&);
  };
  for (const access each : std::initializer_list<access>{
           {"method", [](request& handshake) { (void)handshake.method(); }},
           {"target", [](request& handshake) { (void)handshake.target(); }},
           {"path", [](request& handshake) { (void)handshake.path(); }},
           {"query", [](request& handshake) { (void)handshake.query(); }},
           {"query_value", [](request& handshake) { (void)handshake.query_value("a"); }},
           {"authority", [](request& handshake) { (void)handshake.authority(); }},
           {"fields", [](request& handshake) { (void)handshake.fields(); }},
           {"param", [](request& handshake) { (void)handshake.param("id"); }},
           {"body\\(\\).length", [](request& handshake) { (void)handshake.body().length(); }},
       }) {
    const auto misuse = [each](request& handshake, response& response) -> task<> {
      handshake.discard();
      each.call(handshake);
      (void)co_await response.send("text/plain", "used");
    };
    EXPECT_DEATH((void)reply_of(misuse, {}), std::string("tare::http::request::") + each.name +
                                                 ": the head has been discarded; take what you need before");
  }
}

TEST(http_call, a_discarded_head_leaves_the_memory_budget) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time, .memory_limit = std::size_t{1} << 40U});
  const std::string name(3000, 'n');
  std::size_t freed = 0;
  const auto look = [&](request& request, response& response) -> task<> {
    const std::size_t before = rt.memory().promised();
    request.discard();
    freed = before - rt.memory().promised();
    (void)co_await response.send("text/plain", "held");
  };
  EXPECT_EQ(rt.run(call(look, {.target = "/" + name})).status, 200U);
  EXPECT_GE(freed, name.size());
  EXPECT_LE(freed, name.size() + 200);
  EXPECT_EQ(rt.memory().promised(), 0U);
}

TEST(http_call, refuses_what_no_client_can_send) {
  for (const std::string_view bad : {"", "GET ", "G\r\nX: y", "\x7f"}) {
    EXPECT_THROW((void)reply_of(describe, {.method = std::string(bad)}), std::invalid_argument) << bad;
    EXPECT_THROW((void)reply_of(describe, {.target = std::string(bad)}), std::invalid_argument) << bad;
  }
  EXPECT_EQ(reply_of(describe, {.target = "no-path"}).status, 400U);
}

}  // namespace
