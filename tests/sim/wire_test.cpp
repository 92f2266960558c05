// The checkers of protocols: they accept what is correct, and find every planted mistake.

#include "sim/echo.hpp"
#include "sim/wire_checkers.hpp"

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace tare::testing;  // NOLINT(google-build-using-namespace): the helpers of these tests
using tare::task;
using tare::sim::wire_checker;
using tare::sim::world;
using end = wire_checker::end;

struct piece {
  end from;
  std::string bytes;
};

/// The first complaint about a conversation, whose pieces are sent byte by byte.
template <class Checker>
std::string complaint(const std::vector<piece>& all) {
  Checker checker;
  for (const piece& each : all) {
    for (const char c : each.bytes) {
      if (std::string wrong = checker.check(each.from, {&c, 1}); !wrong.empty()) return wrong;
    }
  }
  // The same as a whole.
  Checker again;
  for (const piece& each : all) {
    if (std::string wrong = again.check(each.from, each.bytes); !wrong.empty()) return "only as a whole: " + wrong;
  }
  return {};
}

piece ask(std::string bytes) { return {.from = end::client, .bytes = std::move(bytes)}; }
piece respond(std::string bytes) { return {.from = end::server, .bytes = std::move(bytes)}; }

const std::string get = "GET /a HTTP/1.1\r\nHost: b\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

TEST(sim_wire, accepts_correct_http) {
  const std::string chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n";
  const std::string post = "POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\nabc";
  const std::string head = "HEAD / HTTP/1.1\r\nHost: b\r\n\r\n";
  EXPECT_EQ(complaint<http_wire>({ask(get), respond(ok), ask(post), respond(chunks), ask(get), respond(ok)}), "");
  EXPECT_EQ(complaint<http_wire>({ask(get + get), respond(ok + ok)}), "");
  EXPECT_EQ(complaint<http_wire>({ask(head + get), respond("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + ok)}), "");
  EXPECT_EQ(complaint<http_wire>({ask(post), respond("HTTP/1.1 100 Continue\r\n\r\n" + ok)}), "");
  EXPECT_EQ(complaint<http_wire>({ask(get), respond("HTTP/1.1 200 OK\r\n\r\nup to the end\r\n\r\n")}), "");
  EXPECT_EQ(
      complaint<http_wire>({ask("GET /a HT"), respond("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")}),
      "");
}

TEST(sim_wire, finds_mistakes_in_http) {
  const std::string last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::vector<std::vector<piece>> wrong{
      {ask("GET  /a HTTP/1.1\r\n")},
      {ask("GET /a HTTP/1.2\r\n")},
      {ask("GET /a HTTP/1.1\n")},
      {ask("GET /\x01 HTTP/1.1\r\n")},
      {ask("G{T /a HTTP/1.1\r\n")},
      {ask("GET /a HTTP/1.1\r\n\r\n")},
      {ask("GET /a HTTP/1.1\r\nHost : b\r\n")},
      {ask("GET /a HTTP/1.1\r\nHost: b\r\n c\r\n")},
      {ask("GET /a HTTP/1.1\r\nHost: b\r\nHost: b\r\n\r\n")},
      {ask("GET /a HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\nContent-Length: 2\r\n")},
      {ask("GET /a HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")},
      {ask("POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\n\r\nab\r\n")},
      {ask(get + "\r\n")},
      {respond(ok)},
      {ask(get), respond(ok + "x\r\n")},
      {ask(get), respond(ok + ok)},
      {ask(get), respond("HTTP/1.1 20 OK\r\n")},
      {ask(get), respond(last + "x")},
      {ask(get), respond(chunked + "2\r\nabc\r\n")},
      {ask(get), respond(chunked + "g\r\n")},
      {ask(get), respond(chunked + "0\r\n\r\nx\r\n")},
      {ask(get), respond("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n")},
      {ask(get), respond("HTTP/1.1 101 Switching Protocols\r\n\r\n")},
      {ask(get), respond("HTTP/1.1 200 OK\r\nA: b\x7f\r\n")},
  };
  for (const auto& each : wrong) EXPECT_NE(complaint<http_wire>(each), "") << each.back().bytes;
}

// --- WebSocket ------------------------------------------------------------------------------------------------------

const std::string upgrade = "GET /a HTTP/1.1\r\nHost: b\r\nUpgrade: websocket\r\n\r\n";
const std::string switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
const std::string compressing =
    "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

std::string bytes(std::initializer_list<int> all) {
  std::string text;
  for (const int each : all) text += static_cast<char>(each);
  return text;
}

std::string complaint_about_frames(const std::string& response, piece frames) {
  return complaint<http_wire>({ask(upgrade), respond(response), std::move(frames)});
}

TEST(sim_wire, accepts_correct_frames) {
  const std::string text = bytes({0x81, 0x82, 1, 2, 3, 4, 'a', 'b'});
  const std::string pieces = bytes({0x02, 1, 'a', 0x89, 0, 0x80, 1, 'b'});
  const std::string large = bytes({0x82, 126, 1, 0}) + std::string(256, 'x');
  const std::string huge = bytes({0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}) + std::string(65536, 'x');
  const std::string close = bytes({0x88, 2, 3, 0xe8});
  EXPECT_EQ(complaint_about_frames(switched, ask(text + text)), "");
  EXPECT_EQ(complaint_about_frames(switched, respond(pieces + large + huge + close)), "");
  EXPECT_EQ(complaint_about_frames(compressing, respond(bytes({0xc1, 1, 'a'}))), "");
}

TEST(sim_wire, finds_mistakes_in_frames) {
  const std::vector<piece> wrong{
      ask(bytes({0x81, 1, 'a'})),                               // no mask
      respond(bytes({0x81, 0x81, 1, 2, 3, 4, 'a'})),            // a mask
      respond(bytes({0x83, 0})),                                // an unknown opcode
      respond(bytes({0x91, 0})),                                // a reserved bit
      respond(bytes({0xc1, 0})),                                // compression that was not negotiated
      respond(bytes({0x09, 0})),                                // a ping in pieces
      respond(bytes({0x89, 126, 0, 126})),                      // a large ping
      respond(bytes({0x80, 0})),                                // a continuation of nothing
      respond(bytes({0x01, 0, 0x81, 0})),                       // a message inside a message
      respond(bytes({0x82, 126, 0, 5})),                        // not the shortest length
      respond(bytes({0x82, 127, 0, 0, 0, 0, 0, 0, 255, 255})),  // likewise
      respond(bytes({0x82, 127, 0x80, 0, 0, 0, 0, 1, 0, 0})),   // too long
      respond(bytes({0x88, 0, 0x81})),                          // after the close frame
      respond(bytes({0x88, 1, 3})),                             // half a code
  };
  for (std::size_t i = 0; i < wrong.size(); ++i) EXPECT_NE(complaint_about_frames(switched, wrong[i]), "") << i;
  EXPECT_NE(complaint_about_frames(compressing, respond(bytes({0x41, 0, 0xc0, 0}))), "");
  EXPECT_NE(complaint<http_wire>({ask(upgrade), ask(bytes({0x81}))}), "") << "a frame before the 101";
}

// --- TLS ------------------------------------------------------------------------------------------------------------

std::string record(int type, const std::string& body) {
  return bytes({type, 3, 3, static_cast<int>(body.size() >> 8U), static_cast<int>(body.size() & 255U)}) + body;
}

std::string server_hello(bool is_1_3) {
  const std::string extension = is_1_3 ? bytes({0, 43, 0, 2, 3, 4}) : bytes({0, 23, 0, 0});
  const std::string body = bytes({3, 3}) + std::string(32, 'r') + bytes({0, 0x13, 1, 0, 0}) +
                           static_cast<char>(extension.size()) + extension;
  return bytes({2, 0, 0, static_cast<int>(body.size())}) + body;
}

const std::string client_hello = record(22, std::string("\1\0\0\0", 4));
const std::string change = record(20, "\1");
const std::string sealed = record(23, std::string(30, 's'));
const std::string finished = record(22, std::string(40, 'f'));

TEST(sim_wire, accepts_correct_tls) {
  EXPECT_EQ(complaint<tls_wire>({ask(client_hello), respond(record(22, server_hello(true)) + change + sealed + sealed),
                                 ask(change + sealed + sealed)}),
            "");
  EXPECT_EQ(
      complaint<tls_wire>({ask(client_hello), respond(record(22, server_hello(false)) + record(22, "certificate")),
                           ask(record(22, "key") + change + finished), respond(change + finished), ask(sealed),
                           respond(sealed + record(21, std::string(26, 'a')))}),
      "");
  EXPECT_EQ(complaint<tls_wire>({ask(client_hello), respond(record(21, bytes({2, 40})))}), "");
}

TEST(sim_wire, finds_mistakes_in_tls) {
  const piece hello_1_3 = respond(record(22, server_hello(true)));
  const piece hello_1_2 = respond(record(22, server_hello(false)));
  const std::vector<std::vector<piece>> wrong{
      {ask("GET / HTTP/1.1\r\n\r\n")},
      {ask(sealed)},
      {ask(change)},
      {ask(client_hello + sealed)},
      {ask(bytes({22, 2, 0, 0, 1}))},
      {ask(bytes({22, 3, 4, 0, 1}))},
      {ask(bytes({22, 3, 3, 0, 0}))},
      {ask(bytes({22, 3, 3, 0x40, 1}))},
      {ask(client_hello), respond(record(21, bytes({2, 40})) + "x")},
      {ask(client_hello), respond(record(21, bytes({2, 40, 1})))},
      {ask(client_hello), hello_1_3, respond(record(20, "\2"))},
      {ask(client_hello), hello_1_3, respond(change + change)},
      {ask(client_hello), hello_1_3, respond(sealed + record(22, "x"))},
      {ask(client_hello), hello_1_3, respond(sealed + record(21, bytes({1, 0})))},
      {ask(client_hello), hello_1_3, respond(record(23, std::string(16, 's')))},
      {ask(client_hello), hello_1_3, respond(sealed + "x")},
      {ask(client_hello), hello_1_2, respond(sealed)},
      {ask(client_hello), hello_1_2, respond(change + sealed)},
      {ask(client_hello), hello_1_2, respond(change + finished + finished)},
      {ask(client_hello), hello_1_2, respond(change + finished + sealed + change)},
  };
  for (std::size_t i = 0; i < wrong.size(); ++i) EXPECT_NE(complaint<tls_wire>(wrong[i]), "") << i;
}

TEST(sim_wire, finds_another_version_of_tls) {
  for (const unsigned only : {tls_wire::tls_1_2, tls_wire::tls_1_3}) {
    tls_wire checker(only);
    EXPECT_EQ(checker.check(end::client, client_hello), "");
    EXPECT_EQ(checker.check(end::server, record(22, server_hello(only == tls_wire::tls_1_3))), "");
    tls_wire other(only);
    EXPECT_NE(other.check(end::server, record(22, server_hello(only == tls_wire::tls_1_2))), "");
  }
}

// --- in a run -------------------------------------------------------------------------------------------------------

/// Sends what a correct server sends, but with one byte more.
task<> serve_mistake() {
  auto listening = tare::net::listener::bind(tare::net::endpoint::any(80));
  auto accepted = co_await listening->accept();
  if (!accepted) co_return;
  (void)co_await accepted->read();
  const std::string planted = ok + "!" + ok;
  (void)co_await accepted->write(bytes_of(planted));
}

TEST(sim_wire, a_planted_byte_fails_the_run) {
  std::string message;
  try {
    tare::sim::run({.twice = false}, [](world& w) -> task<> {
      w.watch(80, [] { return std::make_unique<http_wire>(); });
      auto& server = w.add_host("server");
      server.spawn(serve_mistake());
      co_await tare::sleep_for(1ms);
      auto with = co_await connect_to(server, 80);
      (void)co_await exchange(with, get);
      co_await tare::sleep_for(1s);
    });
  } catch (const tare::sim::failure& found) {
    message = found.what();
  }
  EXPECT_NE(
      message.find("on a connection to port 80, the server server sends what no peer can accept: HTTP: the status "
                   "line '!HTTP/1.1 200 OK'"),
      std::string::npos)
      << message;
}

}  // namespace
