// The weight of a WebSocket after ten messages each way, and of an event stream after ten events, according to the
// kernel's figures for this process. The clients are in another process.

#include "http/loopback.hpp"
#include "http/websocket/deflate.hpp"
#include "http/websocket_frames.hpp"
#include "support/identity.hpp"
#include "support/own_memory.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
namespace http = tare::http;
namespace tls = tare::net::tls;

#if defined(__clang__)
constexpr double max_bytes = 200;
constexpr double max_tls_bytes = 660;
#else
constexpr double max_bytes = 500;  // g++ 12 keeps a handle to the coroutine itself and every local in the frame
constexpr double max_tls_bytes = 900;
#endif

constexpr int few = 1000;
constexpr int many = 4000;
constexpr int many_tls = 3000;  // each takes milliseconds, and weighs several times as much
constexpr int at_once = 4;      // so that both processes are busy
constexpr int messages = 10;

enum class protocol : std::uint8_t { websocket, compressed, events };

/// Opens an event stream and reads the events.
template <class Stream>
task<bool> listen(Stream& stream) {
  constexpr std::string_view asks = "GET /feed HTTP/1.1\r\nHost: a\r\n\r\n";
  if (!co_await stream.write(std::as_bytes(std::span(asks)))) co_return false;
  std::string got;
  for (;;) {
    std::size_t events = 0;
    for (std::size_t at = 0; (at = got.find("data: an event", at)) != std::string::npos; ++at) ++events;
    if (events == messages) co_return true;
    auto more = co_await stream.read();
    if (!more || more->empty()) co_return false;
    got.append(reinterpret_cast<const char*>(more->bytes().data()), more->size());
  }
}

/// What the client of a WebSocket sends, and gets back.
struct exchanged {
  std::string handshake;
  std::string frame;
  std::string answer;
};

exchanged exchanged_by(protocol what) {
  if (what == protocol::websocket) {
    return {.handshake = tare::test::handshake_for("/"),
            .frame = tare::test::masked_frame(0x81, "a message"),
            .answer = tare::test::server_frame(0x81, "a message")};
  }
  http::detail::message_codec codec;
  const std::string packed(codec.compress(std::string(5000, 'm')));
  return {.handshake = tare::test::handshake_for("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
          .frame = tare::test::masked_frame(0xC1, packed),
          .answer = tare::test::server_frame(0xC1, packed)};
}

/// Opens a WebSocket and exchanges the messages.
template <class Stream>
task<bool> talk(Stream& stream, protocol what) {
  const auto [asks, frame, answer] = exchanged_by(what);
  if (!co_await stream.write(std::as_bytes(std::span(asks)))) co_return false;
  std::string got;
  std::size_t end = std::string::npos;
  int sent = 0;
  for (;;) {
    if (end == std::string::npos) {
      end = got.find("\r\n\r\n");
      if (end != std::string::npos) end += 4;
    }
    if (end != std::string::npos && got.size() == end + static_cast<std::size_t>(sent) * answer.size()) {
      if (sent == messages) co_return true;
      ++sent;
      if (!co_await stream.write(std::as_bytes(std::span(frame)))) co_return false;
    }
    auto more = co_await stream.read();
    if (!more || more->empty()) co_return false;
    got.append(reinterpret_cast<const char*>(more->bytes().data()), more->size());
  }
}

template <class Stream>
task<bool> use(Stream& stream, protocol what) {
  return what == protocol::events ? listen(stream) : talk(stream, what);
}

struct held_streams {
  std::vector<tare::net::stream> plain;
  std::vector<tls::stream> secret;
};

/// Clients that connect and exchange their messages, one after the other.
task<bool> open_clients(int count, std::uint16_t port, protocol what, const std::optional<tls::context>& trusted,
                        held_streams& held) {
  for (int i = 0; i < count; ++i) {
    auto plain = co_await tare::net::connect(tare::net::endpoint::loopback(port));
    bool served = false;
    if (trusted) {
      auto secret = co_await tls::stream::connect(std::move(plain.value()), *trusted, "localhost");
      served = co_await use(secret.value(), what);
      held.secret.push_back(std::move(*secret));
    } else {
      served = co_await use(plain.value(), what);
      held.plain.push_back(std::move(*plain));
    }
    if (!served) co_return false;
  }
  co_return true;
}

/// The clients, in two steps, each of which ends with a byte to and one from `control`. They stay until it is closed.
task<> hold_clients(int control, std::uint16_t port, protocol what, std::string authorities) {
  std::optional<tls::context> trusted;
  if (!authorities.empty()) trusted = tls::context::client({.authorities = std::move(authorities)}).value();
  const int all = trusted ? many_tls : many;
  held_streams held;
  for (const int count : {few, all - few}) {
    std::vector<task<bool>> opening;
    for (int i = 0; i < at_once; ++i) opening.push_back(open_clients(count / at_once, port, what, trusted, held));
    const std::vector<bool> served = co_await tare::when_all(std::move(opening));
    if (std::ranges::count(served, true) != at_once) co_return;
    if (::write(control, "k", 1) != 1) co_return;
    (void)co_await tare::net::wait_readable(control);
    char next = 0;
    if (::read(control, &next, 1) != 1) co_return;
  }
}

class held_clients {
 public:
  held_clients(std::uint16_t port, protocol what, const std::string& authorities) {
    std::array<int, 2> control{};
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, control.data()) != 0) return;
    control_ = control[0];
    child_ = ::fork();
    if (child_ == 0) {
      // Descriptors of the parent would keep its connections open.
      ::close(control[0]);
      tare::run(hold_clients(control[1], port, what, authorities));
      ::_exit(0);
    }
    ::close(control[1]);
  }
  held_clients(const held_clients&) = delete;
  held_clients& operator=(const held_clients&) = delete;
  ~held_clients() {
    ::close(control_);
    ::waitpid(child_, nullptr, 0);
  }

  /// The clients of a step are there, and no others come before `proceed`.
  task<bool> wait() const {
    (void)co_await tare::net::wait_readable(control_);
    char response = 0;
    co_return ::read(control_, &response, 1) == 1;
  }

  void proceed() const { EXPECT_EQ(::write(control_, "k", 1), 1); }

 private:
  int control_ = -1;
  pid_t child_ = -1;
};

task<> echo(http::websocket socket) {
  while (auto got = co_await socket.receive()) {
    if (!co_await socket.send(got->kind, got->data)) break;
  }
}

task<> send_back(http::websocket& socket, const http::websocket::piece& whole) {
  auto out = co_await socket.begin(whole.kind);
  EXPECT_TRUE(out && whole.is_last);
  if (out) (void)co_await out->finish(whole.data);
}

task<> echo_in_pieces(http::websocket socket) {
  while (auto got = co_await socket.receive_piece()) co_await send_back(socket, *got);
}

task<> send_events(http::event_stream out) {
  for (int i = 0; i < messages; ++i) {
    if (!co_await out.send("an event")) co_return;
  }
  co_await tare::sleep_for(24h);
}

double weigh(protocol what, http::router routes, const std::optional<tls::context>& identity,
             const std::string& authorities, const std::function<void()>& at_end = {}) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const int all_clients = identity ? many_tls : many;
  double weight = 0;
  tare::runtime rt;
  // Bound in a runtime of its own: the child is made before this process has any thread or reactor.
  auto all = [&]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
    const std::uint16_t port = listening.local()->port();
    http::server serving(std::move(routes));
    const held_clients clients(port, what, authorities);
    auto serve = [&]() -> task<> {
      if (identity) {
        (void)co_await serving.serve(std::move(listening), *identity);
      } else {
        (void)co_await serving.serve(std::move(listening));
      }
    };
    auto watch = [&]() -> task<> {
      bool ready = co_await clients.wait();
      EXPECT_TRUE(ready);
      co_await tare::sleep_for(100ms);
      const double at_few = support::anonymous_bytes();
      clients.proceed();
      ready = co_await clients.wait();
      EXPECT_TRUE(ready);
      EXPECT_EQ(serving.lasting_connections(), static_cast<std::size_t>(all_clients));
      co_await tare::sleep_for(100ms);
      weight = (support::anonymous_bytes() - at_few) / (all_clients - few);
      serving.stop();
    };
    co_await tare::when_all(serve(), watch());
    if (at_end) at_end();
  };
  rt.run(all());
  return weight;
}

TEST(lasting_memory, of_a_websocket_after_ten_messages_each_way) {
  http::router routes;
  routes.websocket("/", echo);
  const double weight = weigh(protocol::websocket, routes, std::nullopt, {});
  std::cout << "bytes per WebSocket: " << weight << "\n";
  EXPECT_LE(weight, max_bytes);
}

TEST(lasting_memory, of_a_websocket_after_ten_compressed_messages_each_way) {
  http::router routes;
  routes.websocket("/", echo, {.compress = true});
  const double weight = weigh(protocol::compressed, routes, std::nullopt, {});
  std::cout << "bytes per WebSocket with compression: " << weight << "\n";
  EXPECT_LE(weight, max_bytes);
}

// What they take is gone when they have ended.
TEST(lasting_memory, of_a_websocket_after_ten_messages_in_pieces_each_way) {
  for (const bool compresses : {false, true}) {
    http::router routes;
    routes.websocket("/", echo_in_pieces, {.compress = compresses});
    const double weight = weigh(compresses ? protocol::compressed : protocol::websocket, routes, std::nullopt, {});
    std::cout << "bytes per WebSocket that sends in pieces" << (compresses ? " with compression: " : ": ") << weight
              << "\n";
    EXPECT_LE(weight, max_bytes);
  }
}

TEST(lasting_memory, of_a_websocket_over_tls_after_ten_messages_each_way) {
  const support::identity& ours = support::identity::shared();
  http::router routes;
  routes.websocket("/", echo);
  const auto of_server = tls::context::server({.certificate = ours.certificate, .key = ours.key}).value();
  const double weight = weigh(protocol::websocket, routes, of_server, ours.certificate);
  std::cout << "bytes per WebSocket over TLS: " << weight << "\n";
  EXPECT_LE(weight, max_tls_bytes);
}

/// A server in another process, which echoes until `control` is closed.
task<> serve_echo(int control) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
  const std::uint16_t port = listening.local()->port();
  if (::write(control, &port, sizeof port) != sizeof port) co_return;
  http::router routes;
  routes.websocket("/", echo);
  http::server serving(std::move(routes));
  auto serve = [&]() -> task<> { (void)co_await serving.serve(std::move(listening)); };
  auto wait = [&]() -> task<> { (void)co_await tare::net::wait_readable(control); };
  co_await tare::when_any(serve(), wait());
}

task<double> weigh_clients(std::uint16_t port) {
  const std::string url = "ws://127.0.0.1:" + std::to_string(port);
  std::vector<http::websocket> held;
  held.reserve(many);
  double at_few = 0;
  while (held.size() < many) {
    auto made = co_await http::websocket::connect(url);
    EXPECT_TRUE(made);
    if (!made) co_return 1e9;
    for (int i = 0; i < messages; ++i) {
      const auto sent = co_await made->send_text("a message");
      const auto got = co_await made->receive();
      EXPECT_TRUE(sent && got);
    }
    held.push_back(std::move(*made));
    if (held.size() == few) at_few = support::anonymous_bytes();
  }
  co_return (support::anonymous_bytes() - at_few) / (many - few);
}

TEST(lasting_memory, of_a_client_after_ten_messages_each_way) {
  std::array<int, 2> control{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, control.data()), 0);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(control[0]);
    tare::run(serve_echo(control[1]));
    ::_exit(0);
  }
  ::close(control[1]);
  std::uint16_t port = 0;
  ASSERT_EQ(::read(control[0], &port, sizeof port), static_cast<ssize_t>(sizeof port));
  tare::runtime rt;
  const double weight = rt.run(weigh_clients(port));
  ::close(control[0]);
  ::waitpid(child, nullptr, 0);
  std::cout << "bytes per WebSocket of a client: " << weight << "\n";
  EXPECT_LE(weight, 400);
}

TEST(lasting_memory, of_an_event_stream_after_ten_events) {
  http::router routes;
  routes.events("/feed", send_events);
  const double weight = weigh(protocol::events, routes, std::nullopt, {});
  std::cout << "bytes per event stream: " << weight << "\n";
  EXPECT_LE(weight, max_bytes);
}

TEST(lasting_memory, of_a_subscriber_of_a_topic) {
  http::router routes;
  std::optional<http::topic> news;
  routes.events("/feed", [&](http::event_stream out) -> task<> {
    if (!news) news.emplace();
    http::subscription feed(*news, out);
    for (int i = 0; i < messages; ++i) {
      if (!co_await out.send("an event")) co_return;
    }
    co_await out.wait();
  });
  const double weight = weigh(protocol::events, routes, std::nullopt, {}, [&] { news.reset(); });
  std::cout << "bytes per event stream that subscribes to a topic: " << weight << "\n";
  EXPECT_LE(weight, max_bytes);
}

TEST(lasting_memory, of_an_event_stream_over_tls_after_ten_events) {
  const support::identity& ours = support::identity::shared();
  http::router routes;
  routes.events("/feed", send_events);
  const auto of_server = tls::context::server({.certificate = ours.certificate, .key = ours.key}).value();
  const double weight = weigh(protocol::events, routes, of_server, ours.certificate);
  std::cout << "bytes per event stream over TLS: " << weight << "\n";
  EXPECT_LE(weight, max_tls_bytes);
}

}  // namespace
