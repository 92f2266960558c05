// WebSockets, event streams and topics over TLS: what is sent in records is whole, whatever the client reads.

#include "http/loopback.hpp"
#include "http/strict_client.hpp"
#include "http/websocket_frames.hpp"
#include "support/identity.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::event_stream;
using tare::http::router;
using tare::http::server;
using tare::http::subscription;
using tare::http::topic;
using tare::http::websocket;
using tare::test::close_payload;
using tare::test::handshake_for;
using tare::test::masked_frame;
using tare::test::server_close;
using tare::test::server_frame;
using tare::test::strict_client;
namespace tls = tare::net::tls;

const support::identity& ours() { return support::identity::shared(); }

tls::context of_server(tls::protocol most) {
  tls::server_options options;
  options.certificate = ours().certificate;
  options.key = ours().key;
  options.max_version = most;
  return tls::context::server(options).value();
}

using secret_client = tare::test::client_over<tls::stream>;

task<secret_client> open(std::uint16_t port, std::string request) {
  auto plain = co_await tare::net::connect(tare::net::endpoint::loopback(port));
  const auto trusted = tls::context::client({.authorities = ours().certificate}).value();
  auto secret = co_await tls::stream::connect(std::move(plain.value()), trusted, "localhost");
  secret.value().expires_after(20s);
  secret_client client(std::move(*secret));
  co_await client.send(request);
  (void)co_await client.read_through("\r\n\r\n");
  co_return client;
}

class lasting_tls : public tare::test::http_test {};

TEST_P(lasting_tls, a_websocket_talks_in_records_of_any_size) {
  router routes;
  routes.websocket("/", [](websocket socket) -> task<> {
    while (auto got = co_await socket.receive()) {
      if (!co_await socket.send(got->kind, got->data)) break;
    }
  });
  for (const tls::protocol most : {tls::protocol::tls_1_3, tls::protocol::tls_1_2}) {
    with_server(
        routes, {},
        [](server& serving, std::uint16_t port) -> task<> {
          auto client = co_await open(port, handshake_for("/"));
          const std::string sent =
              masked_frame(0x01, "in ") + masked_frame(0x89, "ping") + masked_frame(0x80, "pieces");
          // Each byte in a record of its own; then several frames in one.
          for (const char byte : sent) co_await client.send(std::string_view(&byte, 1));
          EXPECT_EQ(co_await client.read_bytes(6), server_frame(0x8a, "ping"));
          EXPECT_EQ(co_await client.read_bytes(11), server_frame(0x81, "in pieces"));
          const std::string twice = sent + sent;
          co_await client.send(twice);
          EXPECT_EQ((co_await client.read_bytes(34)).size(), 34U);
          // More than one record, read in several buffers.
          const std::string large(60'000, 'l');
          const std::string frame = masked_frame(0x82, large);
          co_await client.send(frame);
          EXPECT_TRUE(co_await client.read_bytes(60'004) == server_frame(0x82, large));
          EXPECT_EQ(serving.lasting_connections(), 1U);
          const std::string bye = masked_frame(0x88, close_payload(1000));
          co_await client.send(bye);
          EXPECT_EQ(co_await client.read_all(), server_close(1000));
        },
        of_server(most));
  }
}

TEST_P(lasting_tls, frames_and_pongs_to_a_client_that_does_not_read_are_whole) {
  router routes;
  routes.websocket("/", [](websocket socket) -> task<> {
    auto send = [&](char letter, std::size_t size) -> task<> {
      const std::string message(size, letter);
      for (int i = 0; i < 10; ++i) {
        const auto sent = co_await socket.send_binary(message);
        EXPECT_TRUE(sent);
      }
    };
    auto receive = [&]() -> task<> {
      for (;;) {
        auto got = co_await socket.receive();
        if (!got) co_return;
      }
    };
    auto send_all = [&]() -> task<> {
      co_await tare::when_all(send('a', 700'000), send('b', 10), send('c', 20'000));
      (void)co_await socket.close();
    };
    co_await tare::when_all(send_all(), receive());
  });
  with_server(
      routes, {},
      [](server& /*serving*/, std::uint16_t port) -> task<> {
        auto client = co_await open(port, handshake_for("/"));
        const std::string ping = masked_frame(0x89, "ping");
        for (int i = 0; i < 5; ++i) {
          co_await client.send(ping);
          co_await tare::sleep_for(10ms);
        }
        std::string all;
        while (!all.ends_with(server_close(1000))) {
          const std::string more = co_await client.read_some();
          if (more.empty()) break;
          all += more;
        }
        strict_client strict(all);
        const auto frames = strict.frames();
        EXPECT_EQ(strict.error(), "");
        EXPECT_EQ(frames.size(), 36U);
        for (const auto& each : frames) {
          EXPECT_TRUE(each.complete);
          if (each.opcode == 2) {
            EXPECT_EQ(each.body, std::string(each.body.size(), each.body[0]));
          }
        }
      },
      of_server(tls::protocol::tls_1_3));
}

TEST_P(lasting_tls, a_topic_reaches_slow_and_fast_clients) {
  std::optional<topic> news;
  router routes;
  routes.websocket("/socket", [&](websocket socket) -> task<> {
    const subscription feed(*news, socket);
    for (;;) {
      auto got = co_await socket.receive();
      if (!got) co_return;
    }
  });
  routes.events("/feed", [&](event_stream out) -> task<> {
    const subscription feed(*news, out);
    co_await out.wait();
  });
  with_server(
      routes, {},
      [&](server& serving, std::uint16_t port) -> task<> {
        news.emplace();
        auto slow = co_await open(port, handshake_for("/socket"));
        auto fast = co_await open(port, "GET /feed HTTP/1.1\r\nHost: a\r\n\r\n");
        while (news->subscribers() != 2) co_await tare::sleep_for(1ms);
        for (int i = 0; i < 150; ++i) {
          std::string data = std::to_string(i);
          data.resize(50'000, '.');
          EXPECT_TRUE(news->publish(data));
          // "c358\r\ndata: ...\n\n\r\n"
          const std::string got = co_await fast.read_bytes(50'000 + 16);
          EXPECT_TRUE(got == "c358\r\ndata: " + data + "\n\n\r\n") << got.substr(0, 20);
        }
        EXPECT_EQ(news->behind(), 1U);
        std::string all;
        bool stopped = false;
        for (;;) {
          const std::string more = co_await slow.read_some();
          if (more.empty()) break;
          all += more;
          if (news->behind() == 0 && !std::exchange(stopped, true)) serving.stop();
        }
        strict_client strict(all);
        const auto frames = strict.frames();
        EXPECT_EQ(strict.error(), "");
        int last = -1;
        for (const auto& each : frames) {
          EXPECT_TRUE(each.complete);
          if (each.opcode != 1) continue;
          const int number = std::stoi(each.body);
          EXPECT_GT(number, last);
          last = number;
          EXPECT_EQ(each.body.size(), 50'000U);
        }
        EXPECT_EQ(last, 149);
        while (news->subscribers() != 0) co_await tare::sleep_for(1ms);
        news.reset();
      },
      of_server(tls::protocol::tls_1_3));
}

TEST_P(lasting_tls, the_client_of_an_event_stream_leaves) {
  router routes;
  bool cancelled = false;
  routes.events("/feed", [&](event_stream out) -> task<> {
    (void)co_await out.send("a");
    try {
      co_await out.wait();
    } catch (const tare::cancelled&) {
      cancelled = true;
      throw;
    }
  });
  with_server(
      routes, {},
      [&](server& serving, std::uint16_t port) -> task<> {
        {
          auto client = co_await open(port, "GET /feed HTTP/1.1\r\nHost: a\r\n\r\n");
          EXPECT_EQ(co_await client.read_bytes(14), "9\r\ndata: a\n\n\r\n");
          (void)client.stream().shutdown_write();
        }
        while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
        EXPECT_TRUE(cancelled);
      },
      of_server(tls::protocol::tls_1_3));
}

TARE_ON_ALL_REACTORS(lasting_tls);

}  // namespace
