// WebSockets and event streams that end, publish or send in pieces while their peer reads slowly, under every single
// fault: what arrives is whole and in order, and nothing follows half a frame.

#include "sim/explored.hpp"

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

namespace http = tare::http;

constexpr std::size_t link_buffer_bytes = 2000;
constexpr std::size_t piece_bytes = 4000;
constexpr int pieces = 3;
constexpr int piece_senders = 2;
constexpr int whole_senders = 2;
constexpr int published = 6;

// --- the server -----------------------------------------------------------------------------------------------------

/// All pieces of a message are of one letter.
task<> send_in_pieces(http::websocket& to, int sender) {
  auto out = co_await to.begin(http::websocket::kind::text);
  if (!out) co_return;
  const std::string piece(piece_bytes, static_cast<char>('a' + sender));
  for (int i = 1; i < pieces; ++i) {
    if (!co_await out->write(piece)) co_return;
  }
  (void)co_await out->finish(piece);
}

task<> send_whole(http::websocket& to, int sender) {
  const std::string text(pieces * piece_bytes, static_cast<char>('a' + sender));
  (void)co_await to.send_text(text);
}

task<> ping_often(http::websocket& to) {
  for (int i = 0; i < 4; ++i) {
    if (!co_await to.ping("ping")) co_return;
    co_await tare::sleep_for(3ms);
  }
}

task<> send_and_receive(http::websocket socket) {
  co_await tare::with_scope([&](tare::scope& sending) -> task<> {
    for (int i = 0; i < piece_senders; ++i) sending.spawn(send_in_pieces(socket, i));
    for (int i = 0; i < whole_senders; ++i) sending.spawn(send_whole(socket, piece_senders + i));
    sending.spawn(ping_often(socket));
    while (co_await socket.receive()) continue;
  });
}

std::string event_text(int number) { return std::to_string(number) + std::string(piece_bytes, 'e'); }

task<> publish_all(const world& w, http::topic& news) {
  for (int i = 0; i < 1000 && news.subscribers() == 0; ++i) co_await tare::sleep_for(1ms);
  for (int i = 0; i < published; ++i) {
    const std::string text = event_text(i);
    const bool sent = news.publish(text).has_value();
    EXPECT_TRUE(sent || w.fault_may_fail());
    co_await tare::sleep_for(200us);
  }
}

http::router routes_of_states(http::topic& news) {
  http::router made;
  made.websocket("/pieces", send_and_receive);
  made.websocket("/moves", [](http::websocket socket) -> task<> {
    (void)co_await socket.send_text("last");
    co_await tare::resume_on(1);
  });
  // These end while subscribers are behind.
  made.websocket("/news", [&](http::websocket socket) -> task<> {
    const http::subscription feed(news, socket);
    co_await tare::sleep_for(4ms);
    (void)co_await socket.send_text("last");
  });
  made.websocket("/news-and-leave", [&](http::websocket socket) -> task<> {
    const http::subscription feed(news, socket);
    co_await tare::sleep_for(4ms);
  });
  made.events("/events", [&](http::event_stream out) -> task<> {
    const http::subscription feed(news, out);
    co_await tare::sleep_for(4ms);
    (void)co_await out.send("last");
  });
  made.events("/events-and-leave", [&](http::event_stream out) -> task<> {
    const http::subscription feed(news, out);
    co_await tare::sleep_for(4ms);
  });
  return made;
}

task<> serve_states(const world& w) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::any(80));
  if (!listening) {
    EXPECT_TRUE(w.fault_may_fail()) << listening.error().message();
    co_return;
  }
  http::topic news;
  http::server_options options;
  options.on_error = [](const std::exception_ptr& /*error*/) {};
  http::server server(routes_of_states(news), std::move(options));
  co_await tare::when_all(server.serve(std::move(*listening)), publish_all(w, news));
}

task<std::string> start(world& w) {
  auto& server = w.add_host("server", {.shards = 2});
  w.set_link(w.here(), server, {.buffer_bytes = link_buffer_bytes});
  server.spawn(serve_states(w));
  co_await tare::sleep_for(1ms);
  co_return server.address();
}

// --- clients --------------------------------------------------------------------------------------------------------

/// Receives until the peer closes, or so many messages have come.
task<> receive_slowly(const world& w, http::websocket& by, std::size_t messages, std::string& all) {
  for (std::size_t i = 0; i < messages; ++i) {
    auto got = co_await by.receive();
    if (!got && got.error() == http::errc::closed_by_peer) co_return;
    if (!got) {
      EXPECT_TRUE(w.fault_may_fail()) << got.error().message();
      co_return;
    }
    all.append(std::string_view(got->data)).append("\n");
    co_await tare::sleep_for(5ms);
  }
}

task<std::string> receive_from(world& w, std::string_view path, std::size_t messages) {
  const std::string address = co_await start(w);
  const http::websocket_client_options defaults;
  auto socket = co_await http::websocket::connect("ws://" + address + std::string(path), defaults);
  std::string all;
  if (!socket) {
    EXPECT_TRUE(w.fault_may_fail()) << socket.error().message();
    co_return all;
  }
  auto talk = [&]() -> task<> {
    co_await tare::when_all(receive_slowly(w, *socket, messages, all), ping_often(*socket));
  };
  const bool in_time = static_cast<bool>(co_await tare::timeout(1min, talk()));
  EXPECT_TRUE(in_time || w.fault_may_fail());
  (void)co_await socket->close();
  co_return all;
}

/// Each event in order, whole, at most once; some may be missing at the end. The last message may come between two.
void expect_news(std::string_view got, std::string_view before, std::string_view after) {
  int next = 0;
  while (!got.empty()) {
    const auto starts = [&](const std::string& text) {
      const std::string whole = std::string(before) + text + std::string(after);
      const bool does = got.starts_with(whole);
      if (does) got.remove_prefix(whole.size());
      return does;
    };
    if (starts("last")) continue;
    while (next < published && !starts(event_text(next))) ++next;
    ASSERT_LT(next, published) << "neither an event nor the last message: " << got.substr(0, 40);
    ++next;
  }
  EXPECT_EQ(got, "");
}

task<> receive_pieces(world& w) {
  const std::string all = co_await receive_from(w, "/pieces", piece_senders + whole_senders);
  std::multiset<char> seen;
  for (std::size_t at = 0; at < all.size(); at += pieces * piece_bytes + 1) {
    const std::string message = all.substr(at, pieces * piece_bytes + 1);
    EXPECT_EQ(message, std::string(pieces * piece_bytes, all[at]) + "\n");
    seen.insert(all[at]);
    EXPECT_EQ(seen.count(all[at]), 1U) << "a message came twice";
  }
  EXPECT_TRUE(seen.size() == piece_senders + whole_senders || w.fault_may_fail());
}

void explore(const tare::sim::scenario& body) {
  tare::sim::explore_options chosen;
  chosen.max_bytes = 2;
  const auto seen = tare::testing::explore_every_fault(body, chosen);
  EXPECT_GT(seen.runs, 100U);
}

TEST(sim_lasting_states, messages_in_pieces_take_turns_under_every_fault) { explore(receive_pieces); }

TEST(sim_lasting_states, a_handler_that_ends_on_another_shard_under_every_fault) {
  explore([](world& w) -> task<> {
    const std::string all = co_await receive_from(w, "/moves", 100);
    EXPECT_TRUE(all == "last\n" || w.fault_may_fail()) << all;
  });
}

class sim_lasting_ends : public testing::TestWithParam<std::string_view> {};

TEST_P(sim_lasting_ends, a_socket_whose_subscriber_is_behind_under_every_fault) {
  explore([](world& w) -> task<> {
    const std::string all = co_await receive_from(w, GetParam(), 100);
    EXPECT_TRUE(!all.empty() || w.fault_may_fail());
    expect_news(all, "", "\n");
  });
}

TEST_P(sim_lasting_ends, an_event_stream_whose_subscriber_is_behind_under_every_fault) {
  explore([](world& w) -> task<> {
    const std::string address = co_await start(w);
    http::client client({.call_timeout = 1min});
    http::client_request request;
    request.url = "http://" + address + (GetParam() == "/news" ? "/events" : "/events-and-leave");
    auto response = co_await client.send(std::move(request));
    EXPECT_TRUE(response.has_value() || w.fault_may_fail());
    if (!response || response->status() != 200) co_return;
    std::string received;
    for (;;) {
      auto piece = co_await response->read();
      EXPECT_TRUE(piece.has_value() || w.fault_may_fail());
      if (!piece) co_return;
      if (piece->empty()) break;
      received.append(reinterpret_cast<const char*>(piece->data()), piece->size());
      co_await tare::sleep_for(5ms);
    }
    EXPECT_TRUE(!received.empty() || w.fault_may_fail());
    expect_news(received, "data: ", "\n\n");
  });
}

INSTANTIATE_TEST_SUITE_P(each, sim_lasting_ends, testing::Values("/news", "/news-and-leave"),
                         [](const auto& tested) { return tested.param == "/news" ? "with_a_message" : "at_once"; });

}  // namespace
