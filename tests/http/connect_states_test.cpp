// A client's WebSocket is cancelled, closed, timed out or left by its server, in each state of connecting, receiving
// and sending.

#include "frame/resident_memory.hpp"
#include "http/websocket_server.hpp"
#include "support/sanitizers.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::errc;
using tare::http::websocket;
using tare::http::websocket_client_options;
using tare::test::close_code_of;
using tare::test::frames_of_client;
using tare::test::record;
using tare::test::scripted_peer;
using tare::test::scripted_server;
using tare::test::server_close;
using tare::test::server_frame;
using tare::test::shake_hands;
using tare::test::switching;

/// More than the buffers of both ends of a loopback connection hold.
constexpr std::size_t more_than_fits = 20'000'000;

class connect_states : public tare::test::scripted_websocket {
 protected:
  /// `use` has the socket, while the server does `then` after the handshake.
  static void with_socket(websocket_client_options chosen, const std::function<task<>(scripted_peer&)>& then,
                          const std::function<task<>(websocket&)>& use) {
    bool served = false;
    const auto follow = [&](scripted_peer& peer, int /*number*/) -> task<> {
      const bool received = co_await shake_hands(peer);
      if (received) co_await then(peer);
      served = true;
    };
    with(false, follow, [&](scripted_server& server) -> task<> {
      {
        auto socket = co_await websocket::connect(url_of(server), std::move(chosen));
        EXPECT_TRUE(socket);
        if (!socket) co_return;
        co_await use(*socket);
      }
      for (int i = 0; i < 100'000 && !served; ++i) co_await tare::sleep_for(1ms);
      EXPECT_TRUE(served);
    });
  }
};

// --- connecting -----------------------------------------------------------------------------------------------------

/// Where the server stops.
enum class stall { before_tls, before_the_response, in_the_response };

TEST_P(connect_states, a_server_that_stops_answering_is_left) {
  for (const stall where : {stall::before_tls, stall::before_the_response, stall::in_the_response}) {
    for (const bool is_cancelled : {false, true}) {
      bool has_left = false;
      const auto follow = [&](scripted_peer& peer, int /*number*/) -> task<> {
        if (where == stall::in_the_response) {
          const std::string head = co_await peer.head();
          const std::string response = switching(head);
          co_await peer.send(std::string_view(response).substr(0, response.size() - 1));
        }
        co_await peer.until_closed();
        has_left = true;
      };
      with(false, follow, [&](scripted_server& server) -> task<> {
        const std::string url =
            where == stall::before_tls ? "wss://localhost:" + std::to_string(server.port()) : url_of(server);
        const auto began = tare::now();
        const std::chrono::seconds limit = is_cancelled ? 1s : 1h;
        const auto limited = co_await tare::timeout(limit, websocket::connect(url, trusting()));
        const auto time = tare::now() - began;
        EXPECT_EQ(limited.has_value(), !is_cancelled);
        if (limited) {
          const bool in_tls = where == stall::before_tls;
          EXPECT_EQ(limited->error(),
                    in_tls ? std::make_error_code(std::errc::timed_out) : make_error_code(errc::too_slow));
          EXPECT_GE(time, in_tls ? 10s : 30s);
          EXPECT_LT(time, in_tls ? 11s : 31s);
        }
        for (int i = 0; i < 1000 && !has_left; ++i) co_await tare::sleep_for(1ms);
        EXPECT_TRUE(has_left);
      });
    }
  }
}

// --- receiving ------------------------------------------------------------------------------------------------------

TEST_P(connect_states, a_cancelled_receive_has_taken_nothing) {
  std::vector<std::string> got;
  int timeouts = 0;
  const auto send = [](scripted_peer& peer) -> task<> {
    std::string all;
    for (int i = 0; i < 20; ++i) all += server_frame(0x81, "message " + std::to_string(i));
    for (std::size_t at = 0; at < all.size(); at += 3) {
      co_await peer.send(std::string_view(all).substr(at, 3));
      co_await tare::sleep_for(500us);
    }
    co_await peer.until_closed();
  };
  with_socket({}, send, [&](websocket& socket) -> task<> {
    while (got.size() < 20) {
      auto limited = co_await tare::timeout(700us, socket.receive());
      if (!limited) {
        ++timeouts;
        continue;
      }
      EXPECT_TRUE(*limited);
      if (!*limited) co_return;
      got.emplace_back((*limited)->data);
    }
  });
  EXPECT_EQ(got.size(), 20U);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], "message " + std::to_string(i));
  EXPECT_GT(timeouts, 10);
}

TEST_P(connect_states, a_server_that_vanishes_is_found) {
  std::string sent;
  const auto stay = [&](scripted_peer& peer) -> task<> { co_await record(peer, sent); };
  with_socket({}, stay, [](websocket& socket) -> task<> {
    const auto began = tare::now();
    const auto got = co_await socket.receive();
    EXPECT_EQ(got.error(), std::errc::timed_out);
    EXPECT_GE(tare::now() - began, 50s);
    EXPECT_LT(tare::now() - began, 52s);
  });
  const auto frames = frames_of_client(sent);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].first, 0x89U);
  EXPECT_EQ(frames[0].mask.size(), 4U);
}

TEST_P(connect_states, a_server_that_answers_pings_stays) {
  const auto response = [](scripted_peer& peer) -> task<> {
    for (int i = 0; i < 3; ++i) {
      (void)co_await peer.more();
      co_await peer.send(server_frame(0x8A, ""));
    }
    co_await tare::sleep_for(1s);
    co_await peer.send(server_frame(0x81, "here"));
    co_await peer.until_closed();
  };
  with_socket({}, response, [](websocket& socket) -> task<> {
    const auto began = tare::now();
    const auto got = co_await socket.receive();
    EXPECT_TRUE(got && got->data == "here");
    EXPECT_GE(tare::now() - began, 90s);
  });
}

TEST_P(connect_states, a_receive_has_its_time) {
  websocket_client_options chosen;
  chosen.socket.receive_timeout = 3s;
  const auto stay = [](scripted_peer& peer) -> task<> { co_await peer.until_closed(); };
  with_socket(chosen, stay, [](websocket& socket) -> task<> {
    const auto got = co_await socket.receive();
    EXPECT_EQ(got.error(), errc::too_slow);
    const auto sent = co_await socket.send_text("still open");
    EXPECT_TRUE(sent);
  });
}

TEST_P(connect_states, only_one_task_receives) {
  const auto stay = [](scripted_peer& peer) -> task<> { co_await peer.until_closed(); };
  with_socket({}, stay, [](websocket& socket) -> task<> {
    auto receive = [&]() -> task<> { (void)co_await socket.receive(); };
    auto second = [&]() -> task<> {
      const auto got = co_await socket.receive();
      EXPECT_EQ(got.error(), std::errc::device_or_resource_busy);
    };
    co_await tare::when_any(receive(), second());
  });
}

// --- sending --------------------------------------------------------------------------------------------------------

TEST_P(connect_states, nothing_follows_half_a_frame) {
  std::string sent;
  const auto read_late = [&](scripted_peer& peer) -> task<> {
    co_await tare::sleep_for(10s);
    co_await record(peer, sent);
  };
  with_socket({}, read_late, [](websocket& socket) -> task<> {
    const std::string large(more_than_fits, 'a');
    const auto cancelled = co_await tare::timeout(1s, socket.send_binary(large));
    EXPECT_FALSE(cancelled);
    const auto again = co_await socket.send_text("b");
    EXPECT_EQ(again.error(), errc::already_sent);
    const auto closed = co_await socket.close();
    EXPECT_EQ(closed.error(), errc::already_sent);
    const auto pinged = co_await socket.ping();
    EXPECT_EQ(pinged.error(), errc::already_sent);
  });
  const auto frames = frames_of_client(sent);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_FALSE(frames[0].complete);
  EXPECT_EQ(frames[0].payload, std::string(frames[0].payload.size(), 'a'));
}

TEST_P(connect_states, a_server_that_does_not_read_is_left) {
  websocket_client_options chosen;
  chosen.write_timeout = 5s;
  const auto stay = [](scripted_peer& /*peer*/) -> task<> { co_await tare::sleep_for(1min); };
  with_socket(chosen, stay, [](websocket& socket) -> task<> {
    const std::string large(more_than_fits, 'a');
    const auto sent = co_await socket.send_binary(large);
    EXPECT_EQ(sent.error(), std::errc::timed_out);
    const auto later = co_await socket.send_text("b");
    EXPECT_EQ(later.error(), errc::already_sent);
  });
}

// The pong and the response to the close frame wait until the message before them has been sent.
TEST_P(connect_states, control_frames_follow_a_message_that_is_being_sent) {
  std::string sent;
  const auto close_meanwhile = [&](scripted_peer& peer) -> task<> {
    co_await tare::sleep_for(1s);
    const std::string frames = server_frame(0x89, "ping") + server_close(1001);
    co_await peer.send(frames);
    co_await tare::sleep_for(1s);
    co_await record(peer, sent);
  };
  with_socket({}, close_meanwhile, [](websocket& socket) -> task<> {
    const std::string large(more_than_fits, 'a');
    auto send = [&]() -> task<> {
      const auto done = co_await socket.send_binary(large);
      EXPECT_TRUE(done);
    };
    auto receive = [&]() -> task<> {
      const auto got = co_await socket.receive();
      EXPECT_EQ(got.error(), errc::closed_by_peer);
    };
    co_await tare::when_all(send(), receive());
    EXPECT_EQ(socket.peer_code(), 1001U);
  });
  const auto frames = frames_of_client(sent);
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0].payload.size(), more_than_fits);
  EXPECT_EQ(frames[0].payload.find_first_not_of('a'), std::string::npos);
  EXPECT_EQ(frames[1].payload, "ping");
  EXPECT_EQ(close_code_of(sent), 1001U);
}

// --- closing --------------------------------------------------------------------------------------------------------

TEST_P(connect_states, waits_for_the_server_to_close_but_not_forever) {
  const auto stay = [](scripted_peer& peer) -> task<> { co_await peer.until_closed(); };
  const auto babble = [](scripted_peer& peer) -> task<> {
    for (int i = 0; i < 1000; ++i) {
      co_await peer.send(server_frame(0x81, "and another thing"));
      co_await tare::sleep_for(100ms);
    }
  };
  const auto close_late = [](scripted_peer& peer) -> task<> {
    co_await peer.send(server_frame(0x81, "one"));
    co_await tare::sleep_for(2s);
    co_await peer.send(server_close(1000));
    co_await peer.until_closed();
  };
  const auto vanish = [](scripted_peer& peer) -> task<> {
    (void)co_await peer.more();
    peer.close();
  };
  const auto expect = [](std::error_code error, std::chrono::seconds after) {
    return [error, after](websocket& socket) -> task<> {
      const auto began = tare::now();
      const auto closed = co_await socket.close_and_wait();
      EXPECT_EQ(closed ? std::error_code() : closed.error(), error);
      EXPECT_GE(tare::now() - began, after);
      EXPECT_LT(tare::now() - began, after + 1s);
    };
  };
  with_socket({}, stay, expect(std::make_error_code(std::errc::timed_out), 5s));
  with_socket({}, babble, expect(std::make_error_code(std::errc::timed_out), 5s));
  with_socket({}, close_late, expect({}, 2s));
  with_socket({}, vanish, expect(make_error_code(errc::truncated), 0s));
}

TEST_P(connect_states, both_may_close_at_once) {
  std::string sent;
  const auto close_first = [&](scripted_peer& peer) -> task<> {
    co_await peer.send(server_close(1001));
    co_await record(peer, sent);
  };
  with_socket({}, close_first, [](websocket& socket) -> task<> {
    co_await tare::sleep_for(1s);
    const auto closed = co_await socket.close_and_wait(4001, "at once");
    EXPECT_TRUE(closed);
    EXPECT_EQ(socket.peer_code(), 1001U);
    const auto again = co_await socket.close();
    EXPECT_EQ(again.error(), errc::already_sent);
  });
  EXPECT_EQ(frames_of_client(sent).size(), 1U);
  EXPECT_EQ(close_code_of(sent), 4001U);
}

// --- memory ---------------------------------------------------------------------------------------------------------

// A server sends more than the budget has room for: the client reads no further, and gives up after a while.
TEST_P(connect_states, a_message_stays_within_the_budget) {
  if (support::is_sanitized) GTEST_SKIP() << "its memory counts, too";
  std::string sent;
  const auto follow = [&](scripted_peer& peer, int /*number*/) -> task<> {
    (void)co_await shake_hands(peer);
    const std::string head("\x82\x7f\0\0\0\0\x04\0\0\0", 10);  // 64 MiB
    co_await peer.send(head);
    const std::string piece(1U << 20U, 'x');
    auto send = [&]() -> task<> {
      for (int i = 0; i < 64; ++i) co_await peer.send(piece);
    };
    co_await tare::when_any(send(), record(peer, sent));
  };
  auto chosen = options();
  chosen.memory_limit = tare::detail::resident_bytes() + (16U << 20U);
  const auto use = [&]() -> task<> {
    scripted_server server(false, follow);
    auto receive = [&]() -> task<> {
      websocket_client_options large;
      large.socket.max_message_bytes = 100U << 20U;
      auto socket = co_await websocket::connect(url_of(server), large);
      EXPECT_TRUE(socket);
      if (!socket) co_return;
      const std::size_t before = tare::memory().promised();
      const auto got = co_await socket->receive();
      EXPECT_EQ(got.error(), std::errc::not_enough_memory);
      EXPECT_LE(tare::memory().promised(), before + 1'000'000);
    };
    co_await server.serve_while(receive());
  };
  run(use(), chosen);
}

}  // namespace

TARE_ON_ALL_REACTORS(connect_states);
