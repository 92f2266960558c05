// The HTTP client and bytes that no request asked for.

#include "http/client_states.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace tare::test::client_states;
using tare::task;
using tare::test::scripted_peer;
using tare::test::scripted_server;

/// Bytes after a response, sent immediately or before the next request, never become its response.
TEST_P(http_client_states, surplus_bytes_close_the_connection) {
  for (const bool tls : {false, true}) {
    for (const std::string_view first :
         {ok, std::string_view("HTTP/1.1 204 No Content\r\n\r\n"),
          std::string_view("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")}) {
      for (const bool at_once : {true, false}) {
        for (std::size_t size = 1; size <= planted.size(); size += size < 3 ? 1 : 7) {
          auto script = [=](scripted_peer& peer, int number) -> task<> {
            if (number != 0) {
              co_await answer_all(peer, good);
              co_return;
            }
            (void)co_await peer.request();
            if (at_once) {
              co_await peer.send(std::string(first) + std::string(planted.substr(0, size)));
            } else {
              co_await peer.send(first);
              co_await tare::sleep_for(10ms);
              co_await peer.send(planted.substr(0, size));
            }
            const bool again = co_await peer.request();
            EXPECT_FALSE(again) << "a connection with surplus bytes was used again";
          };
          with(tls, script, [&](scripted_server& server) -> task<> {
            client asking(scripted_server::trusting());
            const std::string before = co_await get(asking, server.url());
            EXPECT_EQ(before, first.starts_with("HTTP/1.1 204") ? "204 " : "200 ok");
            co_await tare::sleep_for(50ms);
            const std::string next = co_await get(asking, server.url());
            EXPECT_EQ(next, "200 good") << "TLS " << tls << ", at once " << at_once << ", " << size << " bytes";
          });
        }
      }
    }
  }
}

/// The bytes are in the socket, but the reactor does not know about them when the next request is made.
TEST_P(http_client_states, surplus_bytes_that_the_reactor_has_not_seen_close_the_connection) {
  for (const bool tls : {false, true}) {
    scripted_peer* first = nullptr;
    auto script = [&](scripted_peer& peer, int number) -> task<> {
      if (number != 0) {
        co_await answer_all(peer, good);
        co_return;
      }
      (void)co_await peer.request();
      co_await peer.send(ok);
      first = &peer;
      const bool again = co_await peer.request();
      EXPECT_FALSE(again);
    };
    with(tls, script, [&](scripted_server& server) -> task<> {
      client asking(scripted_server::trusting());
      const std::string before = co_await get(asking, server.url());
      EXPECT_EQ(before, "200 ok");
      co_await tare::sleep_for(10ms);
      // Sending does not wait, so the reactor is not polled between this and the next request.
      co_await first->send(planted);
      const std::string next = co_await get(asking, server.url());
      EXPECT_EQ(next, "200 good") << "TLS " << tls;
    });
  }
}

/// A relay that delays the end of a TLS record planted by the server, until the next request.
task<> relay_holding_back(tare::net::stream client_side, std::uint16_t port, std::size_t passed) {
  auto server_side = co_await tare::net::connect(tare::net::endpoint::loopback(port));
  std::string held;
  bool planting = false;
  bool planted_before = false;
  const auto began = tare::now();
  auto up = [&]() -> task<> {
    for (;;) {
      auto got = co_await client_side.read();
      if (!got || got->empty()) break;
      if (planting) (void)co_await client_side.write(tare::testing::bytes_of(held));
      (void)co_await server_side->write(got->bytes());
    }
    server_side->close();
  };
  auto down = [&]() -> task<> {
    for (;;) {
      auto got = co_await server_side->read();
      if (!got || got->empty()) co_return;
      std::string text = tare::testing::text_of(got->bytes());
      // The planted record is the first one that arrives this late.
      planting = !planted_before && tare::now() >= began + 1s;
      planted_before = planted_before || planting;
      if (planting) {
        held = text.substr(std::min(passed, text.size()));
        text.resize(std::min(passed, text.size()));
      }
      (void)co_await client_side.write(tare::testing::bytes_of(text));
    }
  };
  co_await tare::when_any(up(), down());
}

TEST_P(http_client_states, a_part_of_a_record_that_came_before_the_request_closes_the_connection) {
  for (const std::size_t passed : {1U, 4U, 5U, 6U, 30U}) {
    auto script = [](scripted_peer& peer, int number) -> task<> {
      if (number != 0) {
        co_await answer_all(peer, good);
        co_return;
      }
      (void)co_await peer.request();
      co_await peer.send(ok);
      co_await tare::sleep_for(2s);
      co_await peer.send(planted);
      const bool again = co_await peer.request();
      EXPECT_FALSE(again);
    };
    with(true, script, [&](scripted_server& server) -> task<> {
      auto between = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
      const std::string url = "https://localhost:" + std::to_string(between.local()->port()) + "/";
      auto relay = [&]() -> task<> {
        co_await tare::with_scope([&](tare::scope& all) -> task<> {
          for (;;) {
            auto got = co_await between.accept();
            if (!got) co_return;
            all.spawn(relay_holding_back(std::move(*got), server.port(), passed));
          }
        });
      };
      auto use = [&]() -> task<> {
        client asking(scripted_server::trusting());
        const std::string before = co_await get(asking, url);
        EXPECT_EQ(before, "200 ok");
        co_await tare::sleep_for(3s);
        const std::string next = co_await get(asking, url);
        EXPECT_EQ(next, "200 good") << passed << " bytes of the record had arrived";
      };
      co_await tare::when_any(relay(), use());
    });
  }
}

TEST_P(http_client_states, a_switch_that_was_not_asked_for_is_an_error_and_plants_nothing) {
  const std::string unasked = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
  struct variant {
    std::string wanted;
    std::string response;
  };
  const std::vector<variant> variants{
      {"", unasked},
      {"", unasked + std::string(planted)},
      {"", "HTTP/1.1 101 Switching Protocols\r\n\r\n" + std::string(planted)},
      {"", "HTTP/1.1 101 Switching Protocols\r\ncontent-length: 0\r\n\r\n" + std::string(planted)},
      {"", "HTTP/1.1 103 Early Hints\r\n\r\n" + unasked},
      {"y", unasked},
      {"y", "HTTP/1.1 101 Switching Protocols\r\n\r\n" + std::string(planted)},
      {"y, x", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x, z\r\n\r\n"},
  };
  for (const bool tls : {false, true}) {
    for (const bool kept : {false, true}) {
      for (const variant& each : variants) {
        auto script = [&](scripted_peer& peer, int number) -> task<> {
          if (number != 0) {
            co_await answer_all(peer, good);
            co_return;
          }
          if (kept) {
            (void)co_await peer.request();
            co_await peer.send(ok);
          }
          (void)co_await peer.request();
          co_await peer.send(each.response);
          const bool again = co_await peer.request();
          EXPECT_FALSE(again);
        };
        with(tls, script, [&](scripted_server& server) -> task<> {
          client asking(scripted_server::trusting());
          if (kept) {
            const std::string before = co_await get(asking, server.url());
            EXPECT_EQ(before, "200 ok");
          }
          client_request request{.url = server.url()};
          if (!each.wanted.empty()) request.fields.set("upgrade", each.wanted);
          const std::string seen = co_await ask(asking, std::move(request));
          EXPECT_EQ(seen, malformed) << each.response;
          EXPECT_EQ(asking.idle_connections(), 0U);
          const std::string next = co_await get(asking, server.url());
          EXPECT_EQ(next, "200 good") << each.response;
        });
      }
    }
  }
}

TEST_P(http_client_states, a_switch_that_was_asked_for_gives_the_stream) {
  for (const bool tls : {false, true}) {
    std::string head;
    auto script = [&](scripted_peer& peer, int number) -> task<> {
      if (number != 0) {
        co_await answer_all(peer, good);
        co_return;
      }
      head = co_await peer.head();
      co_await peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: X\r\nconnection: upgrade\r\n\r\nhello");
      while (peer.unread().size() < 4) {
        if (!co_await peer.more()) co_return;
      }
      co_await peer.send("you said " + peer.unread());
      peer.say_end();
      co_await peer.until_closed();
    };
    with(tls, script, [&](scripted_server& server) -> task<> {
      client asking(scripted_server::trusting({.max_connections_per_host = 1}));
      client_request request{.url = server.url()};
      request.fields.set("upgrade", "y, x");
      auto got = co_await asking.send(std::move(request));
      EXPECT_TRUE(got) << got.error().message();
      if (!got) co_return;
      EXPECT_EQ(got->status(), 101U);
      EXPECT_NE(head.find("connection: upgrade\r\n"), std::string::npos) << head;
      EXPECT_EQ(co_await got->read_all(), "");
      auto stream = got->take_stream();
      EXPECT_THROW((void)got->take_stream(), std::logic_error);
      std::array<std::byte, 3> some{};
      const auto begun = co_await stream.read(some);
      EXPECT_EQ(begun, 3U);
      auto rest = co_await stream.read();
      EXPECT_EQ(tare::testing::text_of(rest->bytes()), "lo");
      const auto sent = co_await stream.write(tare::testing::bytes_of("ping"));
      EXPECT_TRUE(sent);
      auto echoed = co_await stream.read();
      EXPECT_EQ(tare::testing::text_of(echoed->bytes()), "you said ping");
      const auto end = co_await stream.read();
      EXPECT_TRUE(end && end->empty());
      // The connection no longer counts as one of the client's.
      const std::string next = co_await get(asking, server.url());
      EXPECT_EQ(next, "200 good");
    });
  }
}

TEST_P(http_client_states, a_switched_connection_that_nobody_takes_is_closed) {
  bool closed = false;
  auto script = [&](scripted_peer& peer, int number) -> task<> {
    (void)co_await peer.request();
    if (number != 0) co_return co_await peer.send(good);
    co_await peer.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n");
    closed = !co_await peer.request();
  };
  with(false, script, [&](scripted_server& server) -> task<> {
    client asking;
    client_request request{.url = server.url()};
    request.fields.set("upgrade", "x");
    const std::string seen = co_await ask(asking, std::move(request));
    EXPECT_EQ(seen, "101 ");
    EXPECT_EQ(asking.idle_connections(), 0U);
    const std::string next = co_await get(asking, server.url());
    EXPECT_EQ(next, "200 good");
    EXPECT_TRUE(closed);
  });
}

}  // namespace
