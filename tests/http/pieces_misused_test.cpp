// Messages that are sent in pieces by a handler that runs out of memory or misuses their writer.

#include "frame/heap.hpp"
#include "http/sent_pieces.hpp"
#include "http/strict_client.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::message_writer;
using tare::http::server;
using tare::http::websocket;
using tare::http::websocket_options;
using tare::test::output_of;
using tare::test::strict_client;
using tare::test::text;
using tare::test::websocket_handler;
using tare::test::wire;

/// The nth allocation is refused; whatever is sent consists of whole frames of whole messages, or ends. Returns the
/// number of frames.
std::size_t refuse(std::uint64_t nth, bool compresses) {
  websocket_options chosen;
  chosen.compress = compresses;
  auto handle = [&](websocket& socket) -> task<> {
    tare::detail::current_heap->fail_at(nth);
    {
      auto out = co_await socket.begin(text);
      if (out) {
        const std::string piece(20'000, 'a');
        auto wrote = co_await out->write(piece);
        if (!wrote) wrote = co_await out->write(piece);
        if (wrote) (void)co_await out->finish("end");
      }
    }
    (void)co_await socket.send_text("after");
  };
  const std::string output = output_of(
      handle,
      [](wire& client, server& /*serving*/) -> task<> {
        client.room = 1000;
        for (int i = 0; i < 100; ++i) {
          co_await tare::sleep_for(1ms);
          client.take(1000);
        }
        tare::detail::current_heap->fail_at(0);
      },
      chosen);
  strict_client strict(output);
  const auto frames = strict.frames(true);
  EXPECT_EQ(strict.error(), "") << "allocation " << nth;
  return frames.size();
}

TEST(pieces_sent, are_whole_messages_whichever_allocation_is_refused) {
  for (const bool compresses : {false, true}) {
    const std::size_t all = refuse(1'000'000, compresses);
    EXPECT_GE(all, 4U);
    int fewer = 0;
    for (std::uint64_t nth = 1; nth < 40; ++nth) fewer += refuse(nth, compresses) < all ? 1 : 0;
    EXPECT_GT(fewer, 2);
  }
}

void misuse(const websocket_handler& handle) { (void)output_of(handle); }

TEST(pieces_sent, abort_the_program_when_their_writer_is_misused) {
  EXPECT_DEATH(misuse([](websocket& socket) -> task<> {
                 auto out = co_await socket.begin(text);
                 (void)co_await out->finish("a");
                 (void)co_await out->write("b");
               }),
               "message_writer must not be used after `finish`");
  EXPECT_DEATH(misuse([](websocket& socket) -> task<> {
                 auto out = co_await socket.begin(text);
                 auto late = out->write("b");
                 (void)co_await out->finish("a");
                 (void)co_await late;
               }),
               "must be awaited before .finish.");
  // The same while another message waits for the peer.
  EXPECT_DEATH((void)output_of(
                   [](websocket& socket) -> task<> {
                     auto out = co_await socket.begin(text);
                     auto late = out->write("b");
                     (void)co_await out->finish("a");
                     co_await tare::sleep_for(10ms);
                     auto send = [&]() -> task<> { (void)co_await socket.send_text("waits"); };
                     auto write = [&]() -> task<> { (void)co_await late; };
                     co_await tare::when_all(send(), write());
                   },
                   [](wire& client, server& /*serving*/) -> task<> {
                     co_await tare::sleep_for(5ms);
                     client.take(0);
                   }),
               "must be awaited before .finish.");
  std::optional<message_writer> kept;
  EXPECT_DEATH(misuse([&](websocket& socket) -> task<> {
                 auto out = co_await socket.begin(text);
                 kept.emplace(std::move(*out));
               }),
               "message_writer must not outlive the socket's handler");
}

}  // namespace
