// A message of a WebSocket is received in pieces: cut anywhere, cancelled, invalid, refused, or left by its peer.

#include "http/memory_stream.hpp"
#include "http/strict_client.hpp"
#include "http/websocket/deflate.hpp"
#include "http/websocket_client.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
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
using tare::test::close_payload;
using tare::test::handshake_for;
using tare::test::masked_frame;
using tare::test::memory_stream;
using tare::test::server_close;
using tare::test::server_frame;
using tare::test::wire;

constexpr std::string_view offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

struct seen {
  std::string output;
  std::vector<std::string> messages;  ///< with the kind before them
  std::string unfinished;
  std::size_t pieces = 0;
  std::size_t most_buffered = 0;
  std::error_code error;
};

task<> collect(websocket& socket, seen& result) {
  for (;;) {
    auto got = co_await socket.receive_piece();
    result.most_buffered = std::max(result.most_buffered, socket.buffered_bytes());
    if (!got) {
      result.error = got.error();
      co_return;
    }
    ++result.pieces;
    result.unfinished += got->data;
    if (!got->is_last) continue;
    result.messages.push_back((got->kind == websocket::kind::text ? "text " : "binary ") + result.unfinished);
    result.unfinished.clear();
  }
}

/// In virtual time: a client that sends `frames`, first the bytes before `at`.
seen converse(const std::string& frames, std::size_t at, const std::function<task<>(websocket&, seen&)>& handle,
              websocket_options options = {}) {
  seen result;
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  auto all = [&]() -> task<> {
    wire client;
    router routes;
    routes.websocket("/", [&](websocket socket) -> task<> { co_await handle(socket, result); }, std::move(options));
    server serving(routes);
    client.input = handshake_for("/", offer);
    auto serve = [&]() -> task<> { co_await serving.serve_stream(memory_stream(client)); };
    auto behave = [&]() -> task<> {
      client.send(std::string_view(frames).substr(0, at));
      co_await tare::sleep_for(10ms);
      client.send(std::string_view(frames).substr(at));
      co_await tare::sleep_for(1s);
      client.input_ends = true;
      client.change();
    };
    co_await tare::when_all(serve(), behave());
    EXPECT_TRUE(client.closed);
    EXPECT_EQ(serving.lasting_connections(), 0U);
    result.output = client.output.substr(client.output.find("\r\n\r\n") + 4);
  };
  rt.run(all());
  return result;
}

websocket_options compressing() {
  websocket_options chosen;
  chosen.compress = true;
  return chosen;
}

std::string compressed(std::string_view text) {
  message_codec codec;
  return std::string(codec.compress(text));
}

TEST(pieces_received, are_the_message_wherever_it_is_cut) {
  const std::string two_euros = "\xe2\x82\xac\xe2\x82\xac";
  const std::string frames = masked_frame(0x01, two_euros.substr(0, 4)) + masked_frame(0x89, "ping") +
                             masked_frame(0x00, "") + masked_frame(0x80, two_euros.substr(4)) +
                             masked_frame(0x82, std::string(200, 'b')) + masked_frame(0x81, "") +
                             masked_frame(0x88, close_payload(4000));
  const std::vector<std::string> expected{"text " + two_euros, "binary " + std::string(200, 'b'), "text "};
  for (std::size_t at = 0; at <= frames.size(); ++at) {
    const seen got = converse(frames, at, collect);
    EXPECT_EQ(got.messages, expected) << "cut at " << at;
    EXPECT_EQ(got.unfinished, "");
    EXPECT_EQ(got.error, errc::closed_by_peer);
    EXPECT_EQ(got.output, server_frame(0x8a, "ping") + server_close(4000));
  }
}

TEST(pieces_received, are_decompressed_wherever_they_are_cut) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += std::to_string(i * i) + "\xc3\xa4";
  const std::string packed = compressed(text);
  const std::size_t half = packed.size() / 2;
  const std::string frames = masked_frame(0x41, packed.substr(0, half)) + masked_frame(0x89, "ping") +
                             masked_frame(0x80, packed.substr(half)) + masked_frame(0x81, "plain") +
                             masked_frame(0xC2, compressed(std::string(100'000, 'z'))) +
                             masked_frame(0x88, close_payload(1000));
  const std::vector<std::string> expected{"text " + text, "text plain", "binary " + std::string(100'000, 'z')};
  for (std::size_t at = 0; at <= frames.size(); at += 5) {
    const seen got = converse(frames, at, collect, compressing());
    EXPECT_EQ(got.messages, expected) << "cut at " << at;
    EXPECT_EQ(got.error, errc::closed_by_peer);
    EXPECT_EQ(got.output, server_frame(0x8a, "ping") + server_close(1000));
  }
}

// Larger than the limit of whole messages, and more than is ever held.
TEST(pieces_received, are_of_messages_of_any_length) {
  const std::string large(3'000'000, 'a');
  websocket_options chosen = compressing();
  chosen.max_message_bytes = 1000;
  for (const bool is_compressed : {false, true}) {
    const std::string packed = is_compressed ? compressed(large.substr(0, 1U << 20U)) : large;
    const std::string frames = masked_frame(is_compressed ? 0xC2 : 0x82, packed) + masked_frame(0x88, "");
    const seen got = converse(frames, 10, collect, chosen);
    EXPECT_EQ(got.messages.size(), 1U);
    EXPECT_GT(got.pieces, 40U);
    EXPECT_LE(got.most_buffered, 200'000U);
    EXPECT_EQ(got.error, errc::closed_by_peer);
  }
}

TEST(pieces_received, close_the_socket_if_they_are_not_a_message) {
  struct {
    std::string frames;
    unsigned code;
    std::error_code error;
  } const cases[] = {
      {masked_frame(0x01, "\xe2\x82") + masked_frame(0x80, "a"), 1007, errc::bad_text},
      {masked_frame(0x01, "\xe2\x82") + masked_frame(0x80, ""), 1007, errc::bad_text},
      {masked_frame(0x81, "\xed\xa0\x80"), 1007, errc::bad_text},
      {masked_frame(0x01, "a") + masked_frame(0x81, "b"), 1002, errc::bad_frame},
      {masked_frame(0x80, "a"), 1002, errc::bad_frame},
      {masked_frame(0x01, "a") + masked_frame(0xC0, "b"), 1002, errc::bad_frame},
      {masked_frame(0x01, "a") + masked_frame(0x09, "a ping in pieces"), 1002, errc::bad_frame},
      {masked_frame(0xC1, "not compressed"), 1002, errc::bad_frame},
      {masked_frame(0x41, compressed(std::string(500, 'a'))) + masked_frame(0x80, "\x07"), 1002, errc::bad_frame},
      {masked_frame(0xC1, compressed(std::string(500, '\xff'))), 1007, errc::bad_text},
      {masked_frame(0xC1, compressed(std::string(500, 'a') + "\xe2\x82")), 1007, errc::bad_text},
  };
  for (const auto& each : cases) {
    for (std::size_t at = 0; at <= each.frames.size(); ++at) {
      const seen got = converse(each.frames, at, collect, compressing());
      EXPECT_EQ(got.error, each.error) << &each - cases << " cut at " << at;
      EXPECT_EQ(got.output, server_close(each.code)) << &each - cases;
      EXPECT_TRUE(got.messages.empty());
    }
  }
}

TEST(pieces_received, end_when_the_peer_leaves_or_closes) {
  for (const bool is_compressed : {false, true}) {
    const std::string part =
        masked_frame(is_compressed ? 0x41 : 0x01, is_compressed ? compressed("aaaaaaaa") : "aaaaaaaa");
    const seen left = converse(part, 3, collect, compressing());
    EXPECT_EQ(left.error, errc::truncated);
    const seen closed = converse(part + masked_frame(0x88, close_payload(1001)), 3, collect, compressing());
    EXPECT_EQ(closed.error, errc::closed_by_peer);
    EXPECT_EQ(closed.output, server_close(1001));
    EXPECT_EQ(left.unfinished, closed.unfinished);
  }
}

// Every call is cancelled while it waits, after each byte.
TEST(pieces_received, lose_nothing_when_a_call_is_cancelled) {
  for (const bool is_compressed : {false, true}) {
    const std::string text = "in several pieces, each of which arrives byte by byte: \xe2\x82\xac";
    const std::string packed = is_compressed ? compressed(text + text) : text + text;
    const std::string frames = masked_frame(is_compressed ? 0x41 : 0x01, packed.substr(0, 20)) +
                               masked_frame(0x80, packed.substr(20)) + masked_frame(0x88, "");
    seen result;
    int timeouts = 0;
    tare::runtime rt({.clock = tare::clock_kind::virtual_time});
    auto all = [&]() -> task<> {
      wire client;
      router routes;
      auto handle = [&](websocket socket) -> task<> {
        for (bool is_open = true; is_open;) {
          auto limited = co_await tare::timeout(2ms, socket.receive_piece());
          if (!limited) {
            ++timeouts;
            continue;
          }
          is_open = limited->has_value();
          if (is_open) result.unfinished += (*limited)->data;
        }
      };
      routes.websocket("/", handle, compressing());
      server serving(routes);
      client.input = handshake_for("/", offer);
      auto serve = [&]() -> task<> { co_await serving.serve_stream(memory_stream(client)); };
      auto behave = [&]() -> task<> {
        for (const char byte : frames) {
          co_await tare::sleep_for(5ms);
          client.send(std::string_view(&byte, 1));
        }
        co_await tare::sleep_for(1s);
        client.input_ends = true;
        client.change();
      };
      co_await tare::when_all(serve(), behave());
    };
    rt.run(all());
    EXPECT_EQ(result.unfinished, text + text);
    EXPECT_GT(timeouts, 50);
  }
}

// A whole message is received after a piece of another: the rest of that is dropped, but its rules still hold.
TEST(pieces_received, are_dropped_by_who_receives_whole_messages) {
  auto handle = [](websocket& socket, seen& result) -> task<> {
    auto first = co_await socket.receive_piece();
    if (first) result.unfinished = first->data;
    for (;;) {
      auto got = co_await socket.receive();
      if (!got) {
        result.error = got.error();
        co_return;
      }
      result.messages.emplace_back(got->data);
    }
  };
  websocket_options chosen = compressing();
  chosen.max_message_bytes = 1000;
  const std::string packed = compressed(std::string(300'000, 'c'));
  const std::string after = masked_frame(0x81, "next") + masked_frame(0xC1, compressed(std::string(500, 'd')));
  struct {
    std::string frames;
    bool fits;
  } const cases[] = {
      {masked_frame(0x01, "part") + masked_frame(0x00, std::string(3000, 'a')) + masked_frame(0x80, "b"), true},
      {masked_frame(0x42, packed.substr(0, 50)) + masked_frame(0x80, packed.substr(50)), true},
      {masked_frame(0xC2, packed), true},
      {masked_frame(0x82, std::string(50'000, 'a')), true},
      {masked_frame(0x81, "all"), true},
      {masked_frame(0x01, "part") + masked_frame(0x80, "\xff"), false},
  };
  for (const auto& each : cases) {
    for (std::size_t at = 10; at <= each.frames.size(); at += std::max<std::size_t>(1, each.frames.size() / 97)) {
      const seen got = converse(each.frames + after + masked_frame(0x88, ""), at, handle, chosen);
      EXPECT_NE(got.unfinished, "");
      EXPECT_EQ(got.error, each.fits ? errc::closed_by_peer : errc::bad_text) << &each - cases << " cut at " << at;
      if (!each.fits) continue;
      EXPECT_EQ(got.messages, (std::vector<std::string>{"next", std::string(500, 'd')})) << &each - cases << ' ' << at;
    }
  }
}

// The limit of whole messages holds for a frame that began while pieces were received.
TEST(pieces_received, leave_the_limit_of_whole_messages) {
  auto handle = [](websocket& socket, seen& result) -> task<> {
    auto early = co_await tare::timeout(5ms, socket.receive_piece());
    EXPECT_FALSE(early);  // only the head of the frame has arrived
    auto got = co_await socket.receive();
    EXPECT_FALSE(got);
    if (!got) result.error = got.error();
  };
  websocket_options chosen;
  chosen.max_message_bytes = 1000;
  const seen got = converse(masked_frame(0x82, std::string(5000, 'a')), 8, handle, chosen);
  EXPECT_EQ(got.error, errc::message_too_large);
  EXPECT_EQ(got.output, server_close(1009));
}

// What had arrived of a whole message when its call was cancelled is the first piece.
TEST(pieces_received, begin_with_what_a_cancelled_call_has_assembled) {
  for (const bool is_compressed : {false, true}) {
    const std::string text(3000, 'a');
    auto handle = [](websocket& socket, seen& result) -> task<> {
      auto early = co_await tare::timeout(5ms, socket.receive());
      EXPECT_FALSE(early);
      co_await collect(socket, result);
    };
    const std::string frames =
        masked_frame(is_compressed ? 0xC2 : 0x82, is_compressed ? compressed(text) : text) + masked_frame(0x88, "");
    const seen got = converse(frames, is_compressed ? 10 : 2000, handle, compressing());
    EXPECT_EQ(got.messages, std::vector<std::string>{"binary " + text});
    EXPECT_EQ(got.error, errc::closed_by_peer);
  }
}

TEST(pieces_received, are_dropped_when_the_server_closes_and_waits) {
  auto handle = [](websocket& socket, seen& result) -> task<> {
    auto first = co_await socket.receive_piece();
    EXPECT_TRUE(first);
    const auto closed = co_await socket.close_and_wait(4001);
    if (!closed) result.error = closed.error();
  };
  const std::string frames =
      masked_frame(0x02, "a") + masked_frame(0x80, std::string(90'000, 'b')) + masked_frame(0x88, close_payload(4001));
  for (const std::size_t at : {std::size_t{8}, std::size_t{50'000}, frames.size() - 3}) {
    const seen got = converse(frames, at, handle);
    EXPECT_EQ(got.error, std::error_code());
    EXPECT_EQ(got.output, server_close(4001));
  }
}

}  // namespace
