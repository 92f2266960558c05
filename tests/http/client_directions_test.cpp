// The HTTP client and servers that send while they read, or whose response has no end.

#include "http/client_states.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace tare::test::client_states;
using tare::task;
using tare::test::scripted_peer;
using tare::test::scripted_server;

TEST_P(http_client_states, at_most_16_interim_responses) {
  for (const int interim : {0, 1, 16, 17, 1000}) {
    auto script = [=](scripted_peer& peer, int /*number*/) -> task<> {
      (void)co_await peer.request();
      std::string all;
      for (int i = 0; i < interim; ++i) all += "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
      co_await peer.send(all + std::string(good));
      co_await peer.until_closed();
    };
    with(false, script, [&](scripted_server& server) -> task<> {
      client asking;
      const std::string seen = co_await get(asking, server.url());
      EXPECT_EQ(seen, interim <= 16 ? "200 good" : malformed) << interim;
      EXPECT_EQ(asking.idle_connections(), interim <= 16 ? 1U : 0U);
    });
  }
}

TEST_P(http_client_states, a_head_has_read_timeout_in_all) {
  for (const bool tls : {false, true}) {
    for (const std::string_view piece : {"H", "HTTP/1.1 102 Processing\r\n\r\n", ""}) {
      auto script = [=](scripted_peer& peer, int /*number*/) -> task<> {
        (void)co_await peer.request();
        std::string_view head =
            "HTTP/1.1 200 OK\r\nx: "
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
        for (int i = 0; i < 60; ++i) {
          co_await peer.send(piece == "H" ? head.substr(static_cast<std::size_t>(i), 1) : piece);
          co_await tare::sleep_for(900ms);
        }
      };
      with(tls, script, [&](scripted_server& server) -> task<> {
        client asking(scripted_server::trusting({.read_timeout = 2s}));
        const auto began = tare::now();
        const std::string seen = co_await get(asking, server.url());
        EXPECT_EQ(seen, too_slow) << piece;
        EXPECT_LT(tare::now() - began, 3s) << piece;
      });
    }
  }
}

TEST_P(http_client_states, a_call_has_call_timeout_in_all) {
  enum class stage : std::uint8_t { connection, handshake, request, head, body, interim };
  for (const stage at : {stage::connection, stage::handshake, stage::request, stage::head, stage::body}) {
    auto script = [=](scripted_peer& peer, int /*number*/) -> task<> {
      if (at == stage::request) co_await tare::sleep_for(1h);
      (void)co_await peer.request();
      if (at == stage::body) co_await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
      for (int i = 0; i < 100; ++i) {
        if (at == stage::body) co_await peer.send("x");
        co_await tare::sleep_for(1s);
      }
    };
    with(false, script, [&](scripted_server& server) -> task<> {
      client asking({.max_connections_per_host = 1, .call_timeout = 3s});
      std::optional<tare::http::client_response> holding;
      std::string url = server.url();
      if (at == stage::handshake) url = "https" + url.substr(4);  // the server does not respond to TLS
      if (at == stage::connection) {
        client other_limit({.max_connections_per_host = 1});
        // Another request holds the host's only connection.
        auto hold = [&]() -> task<> { (void)co_await tare::timeout(100s, get(asking, server.url())); };
        auto wait = [&]() -> task<> {
          const auto began = tare::now();
          const std::string seen = co_await get(asking, server.url());
          EXPECT_EQ(seen, timed_out);
          EXPECT_LT(tare::now() - began, 4s);
        };
        co_await tare::when_all(hold(), wait());
        co_return;
      }
      client_request request{.method = "PUT", .url = url, .body = std::string(20'000'000, 'b')};
      if (at != stage::request) request = {.url = url};
      const auto began = tare::now();
      const std::string seen = co_await ask(asking, std::move(request));
      EXPECT_EQ(seen, at == stage::body ? "200 " + timed_out : timed_out) << static_cast<int>(at);
      EXPECT_LT(tare::now() - began, 4s) << static_cast<int>(at);
    });
  }
}

task<> echo_while_reading(scripted_peer& peer) {
  const std::string head = co_await peer.head();
  const std::size_t at = head.find("content-length: ");
  if (at == std::string::npos) {
    // The chunks are returned unchanged.
    co_await peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    for (;;) {
      const std::string text = std::exchange(peer.unread(), {});
      co_await peer.send(text);
      if (text.ends_with("0\r\n\r\n")) break;
      if (!co_await peer.more()) co_return;
    }
    co_await peer.until_closed();
    co_return;
  }
  const std::size_t length = std::stoul(head.substr(at + 16));
  co_await peer.send("HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(length) + "\r\n\r\n");
  std::size_t done = 0;
  while (done < length) {
    if (peer.unread().empty() && !co_await peer.more()) co_return;
    const std::string text = std::exchange(peer.unread(), {});
    done += text.size();
    co_await peer.send(text);
  }
  co_await peer.until_closed();
}

TEST_P(http_client_states, a_server_may_send_back_what_it_reads) {
  for (const bool tls : {false, true}) {
    for (const bool chunked : {false, true}) {
      auto script = [](scripted_peer& peer, int /*number*/) -> task<> { return echo_while_reading(peer); };
      with(tls, script, [&](scripted_server& server) -> task<> {
        client asking(scripted_server::trusting());
        constexpr std::size_t bytes = 32'000'000;
        client_request request{.method = "POST", .url = server.url()};
        std::size_t given = 0;
        std::string piece(64'000, 's');
        if (chunked) {
          request.stream = [&]() -> task<std::string_view> {
            const bool more = given < bytes;
            given += piece.size();
            co_return more ? std::string_view(piece) : std::string_view();
          };
        } else {
          request.body.assign(bytes, 'b');
        }
        auto got = co_await asking.send(std::move(request));
        EXPECT_TRUE(got) << got.error().message();
        if (!got) co_return;
        auto body = co_await got->read_all();
        EXPECT_TRUE(body) << body.error().message();
        if (!body) co_return;
        EXPECT_EQ(body->size(), bytes);
        EXPECT_EQ(asking.idle_connections(), 1U) << "everything was sent, and everything was read";
      });
    }
  }
}

TEST_P(http_client_states, a_refusal_before_the_end_of_the_request_is_heard) {
  enum class then : std::uint8_t { silent, closes, resets };
  for (const bool tls : {false, true}) {
    for (const bool chunked : {false, true}) {
      for (const then after : {then::silent, then::closes, then::resets}) {
        for (const int status : {301, 413, 503}) {
          auto script = [=](scripted_peer& peer, int number) -> task<> {
            if (number != 0) co_return co_await answer_all(peer, good);
            (void)co_await peer.head();
            co_await peer.send("HTTP/1.1 " + std::to_string(status) + " No\r\ncontent-length: 4\r\n\r\nbig\n");
            co_await tare::sleep_for(1s);
            if (after == then::closes) co_return;
            if (after == then::resets) co_return peer.reset();
            co_await tare::sleep_for(1h);
          };
          with(tls, script, [&](scripted_server& server) -> task<> {
            client asking(scripted_server::trusting());
            client_request request{.method = "POST", .url = server.url()};
            const std::string piece(64'000, 's');
            if (chunked) {
              request.stream = [&]() -> task<std::string_view> { co_return piece; };  // never ends
            } else {
              request.body.assign(20'000'000, 'b');
            }
            const std::string seen = co_await ask(asking, std::move(request));
            EXPECT_EQ(seen, std::to_string(status) + " big\n");
            EXPECT_EQ(asking.idle_connections(), 0U) << "a request that was not sent completely";
            const std::string next = co_await get(asking, server.url());
            EXPECT_EQ(next, "200 good");
          });
        }
      }
    }
  }
}

TEST_P(http_client_states, a_refusal_ends_the_wait_for_the_next_piece) {
  auto script = [](scripted_peer& peer, int /*number*/) -> task<> {
    (void)co_await peer.head();
    co_await tare::sleep_for(1s);
    co_await peer.send("HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\n\r\nbig\n");
    co_await peer.until_closed();
  };
  with(false, script, [&](scripted_server& server) -> task<> {
    client asking;
    client_request request{.method = "POST", .url = server.url()};
    bool cancelled = false;
    request.stream = [&]() -> task<std::string_view> {
      try {
        co_await tare::sleep_for(1h);
      } catch (const tare::cancelled&) {
        cancelled = true;
        throw;
      }
      co_return "late";
    };
    const std::string seen = co_await ask(asking, std::move(request));
    EXPECT_EQ(seen, "413 big\n");
    EXPECT_TRUE(cancelled);
  });
}

/// A piece that is being produced is not lost because the response has begun.
TEST_P(http_client_states, an_early_response_does_not_lose_a_piece) {
  std::string got_there;
  auto script = [&](scripted_peer& peer, int /*number*/) -> task<> {
    (void)co_await peer.head();
    co_await peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n");
    while (!peer.unread().ends_with("0\r\n\r\n")) {
      if (!co_await peer.more()) co_return;
    }
    got_there = peer.unread();
    co_await peer.send("1\r\nb\r\n0\r\n\r\n");
    co_await peer.until_closed();
  };
  with(false, script, [&](scripted_server& server) -> task<> {
    client asking;
    client_request request{.method = "POST", .url = server.url()};
    int number = 0;
    request.stream = [&]() -> task<std::string_view> {
      constexpr std::array<std::string_view, 4> all{"one", "two", "three", ""};
      const std::string_view piece = all[static_cast<std::size_t>(number++)];
      co_await tare::sleep_for(1s);
      co_return piece;
    };
    const std::string seen = co_await ask(asking, std::move(request));
    EXPECT_EQ(seen, "200 ab");
    EXPECT_EQ(got_there, "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n");
    EXPECT_EQ(asking.idle_connections(), 1U);
  });
}

TEST_P(http_client_states, a_server_that_always_takes_a_little_is_not_too_slow) {
  for (const bool tls : {false, true}) {
    auto script = [](scripted_peer& peer, int /*number*/) -> task<> {
      (void)co_await peer.head();
      std::size_t taken = peer.unread().size();
      constexpr std::size_t bytes = 12'000'000;
      while (taken < bytes) {
        peer.unread().clear();
        if (!co_await peer.more()) co_return;
        taken += peer.unread().size();
        co_await tare::sleep_for(10ms);  // 8 KiB each: 15 s in total
      }
      co_await peer.send(good);
      co_await peer.until_closed();
    };
    with(tls, script, [&](scripted_server& server) -> task<> {
      client asking(scripted_server::trusting({.write_timeout = 3s}));
      const auto began = tare::now();
      const std::string seen = co_await ask(asking, request("PUT", server.url(), 12'000'000));
      EXPECT_EQ(seen, "200 good");
      EXPECT_GT(tare::now() - began, 6s) << "the request must take longer than the limit";
    });
  }
}

TEST_P(http_client_states, a_server_that_takes_nothing_is_too_slow) {
  for (const bool tls : {false, true}) {
    for (const bool drips : {false, true}) {
      auto script = [=](scripted_peer& peer, int /*number*/) -> task<> {
        (void)co_await peer.head();
        // A head that arrives byte by byte does not extend the timeout.
        const std::string head = "HTTP/1.1 200 OK\r\nx: " + std::string(3600, 'x');
        for (const char c : head) {
          if (drips) co_await peer.send({&c, 1});
          co_await tare::sleep_for(1s);
        }
      };
      with(tls, script, [&](scripted_server& server) -> task<> {
        client asking(scripted_server::trusting({.write_timeout = 3s}));
        const auto began = tare::now();
        const std::string seen = co_await ask(asking, request("PUT", server.url(), 20'000'000));
        EXPECT_EQ(seen, too_slow);
        EXPECT_LT(tare::now() - began, 10s);
      });
    }
  }
}

/// A response that has begun is read to its end, even if the server does not want the rest of the request.
TEST_P(http_client_states, a_response_that_goes_on_outlasts_a_request_that_does_not) {
  auto script = [](scripted_peer& peer, int /*number*/) -> task<> {
    (void)co_await peer.head();
    co_await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n");
    for (int i = 0; i < 20; ++i) {
      co_await peer.send("x");
      co_await tare::sleep_for(1s);
    }
  };
  with(false, script, [&](scripted_server& server) -> task<> {
    client asking({.read_timeout = 5s, .write_timeout = 3s});
    const std::string seen = co_await ask(asking, request("PUT", server.url(), 20'000'000));
    EXPECT_EQ(seen, "200 " + std::string(20, 'x'));
    EXPECT_EQ(asking.idle_connections(), 0U);
  });
}

}  // namespace
