// A message of a WebSocket is sent in pieces: among other senders, cancelled, abandoned, refused, or left by its peer.

#include "http/sent_pieces.hpp"
#include "http/strict_client.hpp"
#include "http/websocket/deflate.hpp"
#include "http/websocket_client.hpp"

#include <tare/http/topic.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::errc;
using tare::http::router;
using tare::http::server;
using tare::http::websocket;
using tare::http::websocket_options;
using tare::http::detail::message_codec;
using tare::test::masked_frame;
using tare::test::output_of;
using tare::test::server_close;
using tare::test::server_frame;
using tare::test::strict_client;
using tare::test::text;
using tare::test::wire;

/// A message whose pieces take their time.
task<> send_slowly(websocket& socket) {
  auto out = co_await socket.begin(text);
  for (int i = 0; i < 3; ++i) {
    const std::string piece = "piece " + std::to_string(i);
    EXPECT_TRUE(co_await out->write(piece));
    co_await tare::sleep_for(10ms);
  }
  EXPECT_TRUE(co_await out->finish());
}

const std::string slowly_sent = server_frame(0x01, "piece 0") + server_frame(0x00, "piece 1") +
                                server_frame(0x00, "piece 2") + server_frame(0x80, "");

TEST(pieces_sent, are_one_message) {
  const std::string large(20'000, 'b');
  const std::string output = output_of([&](websocket& socket) -> task<> {
    co_await send_slowly(socket);
    auto whole = co_await socket.begin(websocket::kind::binary);
    EXPECT_TRUE(co_await whole->write(""));
    EXPECT_TRUE(co_await whole->finish("all"));
    auto two = co_await socket.begin(websocket::kind::binary);
    EXPECT_TRUE(co_await two->write(large));
    EXPECT_TRUE(co_await two->finish("end"));
  });
  EXPECT_EQ(output, slowly_sent + server_frame(0x82, "all") + server_frame(0x02, large) + server_frame(0x80, "end") +
                        server_close(1000));
}

TEST(pieces_sent, let_control_frames_between_them_and_nothing_else) {
  auto handle = [](websocket& socket) -> task<> {
    auto receive = [&]() -> task<> {
      auto got = co_await socket.receive();
      EXPECT_FALSE(got);
    };
    auto send = [&]() -> task<> {
      co_await tare::sleep_for(5ms);
      EXPECT_TRUE(co_await socket.ping("b"));
      EXPECT_TRUE(co_await socket.send_text("later"));
    };
    auto begin = [&]() -> task<> {
      co_await tare::sleep_for(6ms);
      auto out = co_await socket.begin(text);
      EXPECT_TRUE(co_await out->finish("latest"));
      EXPECT_TRUE(co_await socket.close());
    };
    co_await tare::when_all(send_slowly(socket), send(), begin(), receive());
  };
  const std::string output = output_of(handle, [](wire& client, server&) -> task<> {
    co_await tare::sleep_for(12ms);
    client.send(masked_frame(0x89, "a"));
    co_await tare::sleep_for(100ms);
    client.send(masked_frame(0x88, ""));
  });
  EXPECT_EQ(output, server_frame(0x01, "piece 0") + server_frame(0x89, "b") + server_frame(0x00, "piece 1") +
                        server_frame(0x8a, "a") + server_frame(0x00, "piece 2") + server_frame(0x80, "") +
                        server_frame(0x81, "later") + server_frame(0x81, "latest") + server_close(1000));
}

TEST(pieces_sent, hold_back_what_topics_publish) {
  auto handle = [&](websocket& socket) -> task<> {
    tare::http::topic news;
    tare::http::subscription feed(news, socket);
    auto publish = [&]() -> task<> {
      co_await tare::sleep_for(5ms);
      EXPECT_TRUE(news.publish({.data = "news"}));
    };
    co_await tare::when_all(send_slowly(socket), publish());
    EXPECT_TRUE(co_await socket.send_text("end"));
  };
  const std::string output = output_of(handle);
  EXPECT_EQ(output, slowly_sent + server_frame(0x81, "news") + server_frame(0x81, "end") + server_close(1000));
}

TEST(pieces_sent, close_the_socket_if_they_do_not_end) {
  std::error_code later;
  auto abandon = [&](websocket& socket) -> task<> {
    {
      auto out = co_await socket.begin(text);
      EXPECT_TRUE(co_await out->write("half"));
    }
    const auto sent = co_await socket.send_text("never");
    if (!sent) later = sent.error();
    EXPECT_FALSE(co_await socket.begin(text));
  };
  EXPECT_EQ(output_of(abandon), server_frame(0x01, "half") + server_close(1011));
  EXPECT_EQ(later, errc::already_sent);

  auto abandon_before_the_first = [&](websocket& socket) -> task<> {
    {
      auto out = co_await socket.begin(text);
      EXPECT_TRUE(co_await out->write(""));
    }
    EXPECT_TRUE(co_await socket.send_text("after"));
  };
  EXPECT_EQ(output_of(abandon_before_the_first), server_frame(0x81, "after") + server_close(1000));

  // Another waits for the end of the message.
  auto wait = [&](websocket& socket) -> task<> {
    auto hold = [&]() -> task<> {
      auto out = co_await socket.begin(text);
      EXPECT_TRUE(co_await out->write("half"));
      co_await tare::sleep_for(10ms);
    };
    auto send = [&]() -> task<> {
      co_await tare::sleep_for(1ms);
      const auto sent = co_await socket.send_text("never");
      EXPECT_EQ(sent.error(), errc::already_sent);
    };
    auto begin = [&]() -> task<> {
      co_await tare::sleep_for(1ms);
      const auto begun = co_await socket.begin(text);
      EXPECT_EQ(begun.error(), errc::already_sent);
    };
    co_await tare::when_all(hold(), send(), begin());
  };
  EXPECT_EQ(output_of(wait), server_frame(0x01, "half") + server_close(1011));
}

class pieces_of_server : public tare::test::http_test {};

TEST_P(pieces_of_server, say_that_it_goes_away_when_it_stops_among_them) {
  router routes;
  routes.websocket("/", [](websocket socket) -> task<> {
    auto out = co_await socket.begin(text);
    EXPECT_TRUE(co_await out->write("half"));
    co_await tare::sleep_for(1h);
  });
  with_server(routes, {}, [](server& serving, std::uint16_t port) -> task<> {
    auto client = co_await tare::test::open_websocket(port);
    EXPECT_EQ(co_await client.read_bytes(6), server_frame(0x01, "half"));
    serving.stop();
    EXPECT_EQ(co_await client.read_all(), server_close(1001));
  });
}

TARE_ON_ALL_REACTORS(pieces_of_server);

// The client accepts bytes slowly, and the writer is cancelled after each delay: whole frames, then a close frame or
// nothing.
TEST(pieces_sent, leave_no_half_frame_on_a_socket_that_goes_on) {
  int cut = 0;
  int closed = 0;
  for (int delay = 1; delay < 60; ++delay) {
    for (const bool compresses : {false, true}) {
      websocket_options chosen;
      chosen.compress = compresses;
      chosen.min_compressed_bytes = 1;
      std::error_code later;
      auto handle = [&](websocket& socket) -> task<> {
        auto write = [&]() -> task<> {
          auto out = co_await socket.begin(text);
          for (int i = 0; i < 5; ++i) {
            std::string piece;
            for (int k = 0; k < 60; ++k) piece += std::to_string(k * k * i);
            EXPECT_TRUE(co_await out->write(piece));
            co_await tare::sleep_for(2ms);
          }
          EXPECT_TRUE(co_await out->finish());
        };
        const auto written = co_await tare::timeout(std::chrono::milliseconds(delay), write());
        const auto sent = co_await socket.send_text("after");
        if (!sent) later = sent.error();
        EXPECT_EQ(written.has_value(), sent.has_value());
      };
      const std::string output = output_of(
          handle,
          [&](wire& client, server& /*serving*/) -> task<> {
            client.room = 0;
            for (int i = 0; i < 80; ++i) {
              co_await tare::sleep_for(1ms);
              client.take(50);
            }
            client.take();
          },
          chosen);
      strict_client strict(output);
      const auto frames = strict.frames(true);
      EXPECT_EQ(strict.error(), "") << delay;
      if (!later) continue;
      EXPECT_EQ(later, errc::already_sent);
      EXPECT_EQ(output.find("after"), std::string::npos);
      for (std::size_t i = 0; i + 1 < frames.size(); ++i) EXPECT_TRUE(frames[i].complete) << delay;
      if (!frames.empty() && frames.back().complete && frames.back().opcode == 8) ++closed;
      if (!frames.empty() && !frames.back().complete) ++cut;
    }
  }
  EXPECT_GT(cut, 10);
  EXPECT_GT(closed, 10);
}

// A piece that another task writes while the last one waits for the peer comes too late.
TEST(pieces_sent, do_not_follow_the_last_one) {
  for (const bool compresses : {false, true}) {
    websocket_options chosen;
    chosen.compress = compresses;
    chosen.min_compressed_bytes = 1;
    const std::string last(500, 'l');
    std::error_code late;
    auto handle = [&](websocket& socket) -> task<> {
      auto out = co_await socket.begin(text);
      EXPECT_TRUE(co_await out->write("first"));
      co_await tare::sleep_for(10ms);
      auto finish = [&]() -> task<> { EXPECT_TRUE(co_await out->finish(last)); };
      auto write = [&]() -> task<> {
        const auto written = co_await out->write("late");
        EXPECT_FALSE(written);
        if (!written) late = written.error();
      };
      co_await tare::when_all(finish(), write());
      EXPECT_TRUE(co_await socket.send_text("after"));
    };
    const std::string output = output_of(
        handle,
        [&](wire& client, server& /*serving*/) -> task<> {
          co_await tare::sleep_for(5ms);
          client.take(0);
          co_await tare::sleep_for(20ms);
          client.take();
        },
        chosen);
    EXPECT_EQ(late, errc::already_sent);
    strict_client strict(output);
    const auto frames = strict.frames(true);
    EXPECT_EQ(strict.error(), "");
    EXPECT_EQ(frames.size(), 4U) << "two pieces, the message after them, and the close frame";
  }
}

TEST(pieces_sent, are_compressed_as_one_message) {
  websocket_options chosen;
  chosen.compress = true;
  std::string sent;
  auto handle = [&](websocket& socket) -> task<> {
    auto out = co_await socket.begin(text);
    for (int i = 0; i < 40; ++i) {
      const std::string piece = "piece " + std::to_string(i) + std::string(i == 20 ? 200'000 : 10, 'a');
      EXPECT_TRUE(co_await out->write(piece));
      sent += piece;
    }
    EXPECT_TRUE(co_await out->finish());
    auto small = co_await socket.begin(text);
    EXPECT_TRUE(co_await small->finish("small"));
  };
  const std::string output = output_of(handle, {}, chosen);
  strict_client strict(output);
  const auto frames = strict.frames(true);
  ASSERT_EQ(strict.error(), "");
  ASSERT_GT(frames.size(), 43U);
  EXPECT_LT(output.size(), 5000U);
  std::string packed;
  std::size_t end = 0;
  for (; end < frames.size(); ++end) {
    EXPECT_EQ(frames[end].opcode, end == 0 ? 1U : 0U);
    packed += frames[end].body;
    if (frames[end].is_final) break;
  }
  EXPECT_EQ(frames.size(), end + 3);
  EXPECT_EQ(frames[end + 1].body, "small");
  message_codec codec;
  std::string back;
  const auto outcome = codec.decompress(packed, 1U << 20U, back, [](std::size_t) { return true; });
  EXPECT_EQ(outcome, message_codec::outcome::complete);
  EXPECT_TRUE(back == sent);
}

TEST(pieces_sent, fail_when_the_peer_has_left_or_closed) {
  std::error_code error;
  auto handle = [&](websocket& socket) -> task<> {
    auto out = co_await socket.begin(text);
    EXPECT_TRUE(co_await out->write("half"));
    auto got = co_await socket.receive();
    EXPECT_EQ(got.error(), errc::closed_by_peer);
    const auto sent = co_await out->finish();
    if (!sent) error = sent.error();
  };
  const std::string output = output_of(handle, [](wire& client, server&) -> task<> {
    co_await tare::sleep_for(1ms);
    client.send(masked_frame(0x88, tare::test::close_payload(4000)));
  });
  EXPECT_EQ(output, server_frame(0x01, "half") + server_close(4000));
  EXPECT_EQ(error, errc::already_sent);
}

}  // namespace
