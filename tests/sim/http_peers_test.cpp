// A server and clients that follow scripts: what each sequence of bytes must be answered with, however it is cut, and
// how long a client may take for anything.

#include "http/strict_client.hpp"
#include "sim/http_server.hpp"
#include "sim/raw_peer.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;
using tare::test::strict_client;
using tare::testing::follow;
using tare::testing::long_bytes;
using tare::testing::script;
using tare::testing::seen_bytes;
using tare::testing::start_server;

std::string get(std::string_view path, std::string_view fields = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}
std::string post(std::string_view path, std::string_view fields, std::string_view body = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

struct exchange_case {
  std::string name;
  std::string sent;
  std::vector<unsigned> statuses;
  std::vector<std::string> bodies = {};  ///< "" stands for any
  bool interim = false;                  ///< a 100 is sent first
  bool whole = false;                    ///< only if it arrives in one piece, as it does with some seeds
};

std::vector<exchange_case> accepted_cases() {
  return {
      {"one", get("/short"), {200}, {"short"}},
      {"three at once", get("/short") + get("/field") + get("/short"), {200, 200, 200}, {"short", "[-]", "short"}},
      {"lines before it", "\r\n\r\n" + get("/short"), {200}, {"short"}},
      {"a body", post("/echo", "Content-Length: 5\r\n", "hello") + get("/short"), {200, 200}, {"hello", "short"}},
      {"chunks",
       post("/echo", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n") + get("/short"),
       {200, 200},
       {"hello", "short"}},
      {"trailer",
       post("/echo", "Transfer-Encoding: chunked\r\n", "1;a=b\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n") + get("/short"),
       {200, 200},
       {"x", "short"}},
      {"a body that nobody reads",
       post("/ignore", "Content-Length: 5\r\n", "hello") + get("/short"),
       {200, 200},
       {"ignored", "short"}},
      {"white space around a value", get("/field", "X:  \t a b\t \t\r\n"), {200}, {"[a b]"}},
      {"a tab behind a value",
       get("/field", "X: a\t\r\n") + get("/field", "X:\ta\t\t\r\n"),
       {200, 200},
       {"[a]", "[a]"}},
      {"a tab behind a length",
       post("/echo", "Content-Length: 2\t\r\n", "hi") + get("/short"),
       {200, 200},
       {"hi", "short"}},
      {"absolute form", "GET http://a:80/short HTTP/1.1\r\nHost: a\r\n\r\n", {200}, {"short"}},
      {"HEAD", "HEAD /short HTTP/1.1\r\nHost: a\r\n\r\n", {200}},
      {"not found", get("/nothing") + get("/short"), {404, 200}, {"", "short"}},
      {"waits for 100", post("/echo", "Expect: 100-continue\r\nContent-Length: 2\r\n"), {}, {}, true},
      {"does not wait for 100",
       post("/ignore", "Expect: 100-continue\r\nContent-Length: 2\r\n", "hi") + get("/short"),
       {200, 200},
       {"ignored", "short"},
       false,
       true},
      {"does not wait for 100 and is read",
       post("/echo", "Expect: 100-continue\r\nContent-Length: 2\r\n", "hi") + get("/short"),
       {200, 200},
       {"hi", "short"},
       false,
       true},
  };
}

std::vector<exchange_case> refused_cases() {
  const std::string host = "Host: a\r\n\r\n";
  return {
      {"no Host", "GET /short HTTP/1.1\r\n\r\n", {400}},
      {"two Hosts", "GET /short HTTP/1.1\r\nHost: a\r\n" + host, {400}},
      {"another Host than the target's", "GET http://evil/short HTTP/1.1\r\nHost: good\r\n\r\n", {400}},
      {"another port than the target's", "GET http://a:81/short HTTP/1.1\r\nHost: a:82\r\n\r\n", {400}},
      {"a Host with a port that is no number", "GET /short HTTP/1.1\r\nHost: a:b\r\n\r\n", {400}},
      {"a Host with too large a port", "GET /short HTTP/1.1\r\nHost: a:65536\r\n\r\n", {400}},
      {"RTSP", "GET /short RTSP/1.0\r\n" + host, {400}},
      {"RTSP 1.1", "GET /short RTSP/1.1\r\n" + host, {400}},
      {"ICE", "SOURCE /short ICE/1.0\r\n" + host, {400}},
      {"HTTP/2.0", "GET /short HTTP/2.0\r\n" + host, {505}},
      {"two lengths", post("/echo", "Content-Length: 1\r\nContent-Length: 2\r\n", "hi"), {400}},
      {"a length and chunks", post("/echo", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), {400}},
      {"a folded field", get("/field", "X: a\r\n b\r\n"), {400}},
      {"white space in front of a colon", get("/field", "X : a\r\n"), {400}},
      {"a trailer without a name",
       post("/echo", "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n: x\r\n\r\n"),
       {400}},
      {"a folded trailer", post("/echo", "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\nA: 1\r\n b\r\n\r\n"), {400}},
      {"a bare line feed in chunks", post("/echo", "Transfer-Encoding: chunked\r\n", "1\nx\r\n0\r\n\r\n"), {400}},
      {"too long a head", get("/short", "X: " + std::string(20'000, 'x') + "\r\n"), {431}},
  };
}

void expect_exchange(const exchange_case& tried, const seen_bytes& seen) {
  strict_client reader(seen.bytes, tried.sent.starts_with("HEAD"));
  const auto responses = reader.responses();
  EXPECT_EQ(reader.error(), "") << tried.name << ": " << seen.bytes;
  std::vector<unsigned> statuses;
  for (const auto& each : responses) {
    statuses.push_back(each.status);
    EXPECT_TRUE(each.complete) << tried.name;
  }
  EXPECT_EQ(statuses, tried.statuses) << tried.name << ": " << seen.bytes;
  for (std::size_t i = 0; i < tried.bodies.size() && i < responses.size(); ++i) {
    if (!tried.bodies[i].empty()) {
      EXPECT_EQ(responses[i].body, tried.bodies[i]) << tried.name;
    }
  }
  EXPECT_EQ(seen.bytes.starts_with("HTTP/1.1 100"), tried.interim) << tried.name << ": " << seen.bytes;
  EXPECT_EQ(seen.bytes.find("HTTP/1.1 100", 1), std::string::npos) << tried.name;
}

TEST(sim_http_peers, get_the_responses_that_they_must_get) {
  for (const exchange_case& tried : accepted_cases()) {
    int whole = 0;
    tare::sim::run_seeds(8, {.twice = false}, [&](world& w) -> task<> {
      const auto server = co_await start_server(w);
      script what;
      what.steps.push_back({.bytes = tried.sent, .pause = 10ms});
      what.patience = 5s;
      const auto seen = co_await follow(server.at, what);
      if (!tried.whole) expect_exchange(tried, seen);
      // Both responses, and no interim one.
      strict_client reader(seen.bytes);
      if (reader.responses().size() == tried.statuses.size() && seen.bytes.find("HTTP/1.1 100") == std::string::npos)
        ++whole;
    });
    EXPECT_TRUE(!tried.whole || whole > 0) << tried.name;
  }
}

TEST(sim_http_peers, are_refused_and_the_connection_ends) {
  for (const exchange_case& tried : refused_cases()) {
    tare::sim::run_seeds(8, {.twice = false}, [&](world& w) -> task<> {
      const auto server = co_await start_server(w);
      script what;
      what.steps.push_back({.bytes = tried.sent, .pause = 10ms});
      const auto seen = co_await follow(server.at, what);
      expect_exchange(tried, seen);
      EXPECT_TRUE(seen.ended) << tried.name;
      EXPECT_LT(seen.lasted, 5s) << tried.name;
    });
  }
}

// Time.

struct pace {
  std::string name;
  script what;
  std::chrono::nanoseconds earliest;
  std::chrono::nanoseconds latest;
};

script drip(std::string first, std::string_view piece, int count, std::chrono::nanoseconds between) {
  script made;
  made.patience = 1h;
  made.steps.push_back({.bytes = std::move(first), .pause = between});
  for (int i = 0; i < count; ++i) made.steps.push_back({.bytes = std::string(piece), .pause = between});
  return made;
}

std::vector<pace> paces() {
  const std::string announced = "Content-Length: 16000\r\n";
  std::vector<pace> all;
  all.push_back({"nothing", drip("", "", 0, 1s), 9s, 100s});
  all.push_back({"a head byte by byte", drip("GET /", "x", 1000, 1s), 9s, 15s});
  all.push_back({"nothing of a body", drip(post("/echo", announced), "", 0, 1s), 29s, 40s});
  all.push_back({"a body byte by byte", drip(post("/echo", announced), "x", 1000, 2s), 29s, 100s});
  all.push_back({"a skipped body byte by byte", drip(post("/ignore", announced), "x", 1000, 2s), 1s, 100s});
  all.push_back({"a body after which the connection ends",
                 drip(post("/ignore", "Connection: close\r\n" + announced), "x", 1000, 2s), 0s, 4s});
  all.push_back({"a body of a client that must go",
                 drip(post("/echo", "Connection: close\r\n" + announced), "x", 1000, 2s), 29s, 100s});
  all.push_back({"an open socket that does not answer",
                 drip(get("/socket-echo",
                          "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
                      "", 0, 1s),
                 40s, 100s});
  return all;
}

TEST(sim_http_peers, that_are_slow_are_ended_in_time) {
  for (const pace& tried : paces()) {
    tare::sim::run_seeds(3, {.twice = false}, [&](world& w) -> task<> {
      const auto server = co_await start_server(w);
      const auto seen = co_await follow(server.at, tried.what);
      EXPECT_TRUE(seen.ended || seen.broken) << tried.name;
      EXPECT_GE(seen.lasted, tried.earliest) << tried.name;
      EXPECT_LE(seen.lasted, tried.latest) << tried.name;
    });
  }
}

/// What a connection holds must not hide how slowly its client reads.
void narrow(world& w, tare::sim::host& server) {
  const tare::sim::link_options link{.buffer_bytes = 8U << 10U};
  w.set_link(w.here(), server, link);
}

TEST(sim_http_peers, that_read_slowly_but_steadily_get_everything) {
  tare::sim::run_seeds(5, {.twice = false}, [](world& w) -> task<> {
    const auto server = co_await start_server(w);
    narrow(w, *server.on);
    script what;
    what.steps.push_back({.bytes = get("/long", "Connection: close\r\n")});
    what.read_bytes = 8U << 10U;
    what.read_pause = 2s;
    what.patience = 1h;
    const auto seen = co_await follow(server.at, what);
    strict_client reader(seen.bytes);
    const auto responses = reader.responses();
    EXPECT_TRUE(responses.size() == 1 && responses[0].complete) << seen.bytes.size();
    EXPECT_GT(seen.lasted, 60s);
  });
}

const std::string upgrade_fields =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n";

/// Clients that read nothing for a long time.
TEST(sim_http_peers, that_do_not_read_are_ended) {
  for (const std::string path : {"/long", "/socket-long"}) {
    tare::sim::run_seeds(3, {.twice = false}, [&](world& w) -> task<> {
      const auto server = co_await start_server(w);
      narrow(w, *server.on);
      script what;
      what.steps.push_back({.bytes = get(path, path == "/long" ? "" : upgrade_fields)});
      what.first_read = 10min;
      what.patience = 20min;
      auto seen = follow(server.at, what);
      auto client = tare::spawn_handle(std::move(seen));
      co_await tare::sleep_for(5min);
      // Its descriptors: the listener's and those of the runtime.
      const auto before = server.on->open_descriptors();
      const auto ended = co_await client;
      EXPECT_TRUE(ended.ended || ended.broken) << path;
      co_await tare::sleep_for(1min);
      EXPECT_EQ(server.on->open_descriptors(), before) << path << ": the connection was still open after 5 minutes";
    });
  }
}

// Sends that were cut off.

std::vector<std::string> cut_requests() {
  return {get("/cut") + get("/short"), get("/cut-pieces") + get("/short"), get("/socket", upgrade_fields)};
}

/// Whatever follows a message of A is not part of it, and no message of B is inside of it.
void expect_whole_messages(const std::string& request, const seen_bytes& seen) {
  strict_client reader(seen.bytes);
  auto messages = reader.responses();
  if (!messages.empty() && messages[0].status == 101) messages = reader.frames();
  EXPECT_EQ(reader.error(), "") << request;
  for (const auto& each : messages) {
    EXPECT_TRUE(each.body.find_first_not_of(each.body.substr(0, 1)) == std::string::npos || each.body == "short" ||
                each.opcode >= 8)
        << request << ": " << each.body.size() << " bytes of several messages";
  }
}

TEST(sim_http_peers, never_take_what_follows_for_the_rest_of_what_was_cut) {
  for (const std::string& request : cut_requests()) {
    tare::sim::run_seeds(40, {.twice = false}, [&](world& w) -> task<> {
      const auto server = co_await start_server(w);
      narrow(w, *server.on);
      script what;
      what.steps.push_back({.bytes = request});
      what.first_read = std::chrono::microseconds(w.random_below(200'000));
      what.read_bytes = 1 + w.random_below(100'000);
      what.read_pause = std::chrono::microseconds(w.random_below(3'000));
      expect_whole_messages(request, co_await follow(server.at, what));
    });
  }
}

TEST(sim_http_peers, that_ask_for_an_unknown_version_of_websockets_are_told_which_there_is) {
  tare::sim::run({}, [](world& w) -> task<> {
    const auto server = co_await start_server(w);
    script what;
    what.steps.push_back({.bytes = get("/socket-echo",
                                       "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\n"
                                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")});
    what.patience = 2s;
    const auto seen = co_await follow(server.at, what);
    EXPECT_TRUE(seen.bytes.starts_with("HTTP/1.1 426")) << seen.bytes;
    // RFC 9110, 7.8: a sender of Upgrade must also send "upgrade" in Connection.
    EXPECT_EQ(seen.bytes.find("\r\nupgrade: ") == std::string::npos,
              seen.bytes.find("\r\nconnection: upgrade") == std::string::npos)
        << seen.bytes;
  });
}

}  // namespace
