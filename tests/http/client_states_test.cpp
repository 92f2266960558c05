// The client with servers that disconnect, send planted responses, or respond early, late or without end: in each
// state, over plain TCP and TLS, in virtual time.

#include "http/client/connections.hpp"
#include "http/client/tokens.hpp"
#include "http/scripted_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::client;
using tare::http::client_request;
using tare::http::errc;
using tare::test::scripted_peer;
using tare::test::scripted_server;

constexpr std::string_view ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
constexpr std::string_view good = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood";
constexpr std::string_view planted = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nEVIL!";

std::string error_text(std::error_code error) { return "error: " + error.message(); }
const std::string truncated = error_text(make_error_code(errc::truncated));
const std::string malformed = error_text(make_error_code(errc::malformed));
const std::string too_slow = error_text(make_error_code(errc::too_slow));
const std::string timed_out = error_text(std::make_error_code(std::errc::timed_out));

/// Status and body, or the error.
task<std::string> ask(client& asking, client_request request) {
  auto got = co_await asking.send(std::move(request));
  if (!got) co_return error_text(got.error());
  const auto body = co_await got->read_all();
  if (!body) co_return std::to_string(got->status()) + ' ' + error_text(body.error());
  co_return std::to_string(got->status()) + ' ' + *body;
}
/// Not a braced list in a co_await expression, because g++ 12 destroys it twice.
client_request request(std::string method, std::string url, std::size_t body_bytes = 0) {
  return {.method = std::move(method), .url = std::move(url), .body = std::string(body_bytes, 'b')};
}

task<std::string> get(client& asking, std::string url) { return ask(asking, {.method = "GET", .url = std::move(url)}); }

task<> answer_all(scripted_peer& peer, std::string_view with) {
  for (;;) {
    const bool asked = co_await peer.request();
    if (!asked) co_return;
    co_await peer.send(with);
  }
}

class http_client_states : public tare::testing::on_reactors {
 protected:
  /// Calls `use(server)` while the server follows the script, in virtual time.
  static void with(bool tls, tare::test::script script, const std::function<task<>(scripted_server&)>& use) {
    auto chosen = options();
    chosen.clock = tare::clock_kind::virtual_time;
    tare::runtime rt(chosen);
    auto body = [&]() -> task<> {
      scripted_server server(tls, std::move(script));
      co_await server.serve_while(use(server));
    };
    rt.run(body());
  }
};
TARE_ON_ALL_REACTORS(http_client_states);

// --- truncated responses ---------------------------------------------------------------------------------------------

enum class cut : std::uint8_t { end, closed, reset };

/// Truncates the first response on a fresh connection, or the second one on a kept connection, after each byte. Then
/// the client sends another request.
void cut_everywhere(
    bool tls, bool kept, cut how, const std::string& method,
    const std::function<void(bool, tare::test::script, const std::function<task<>(scripted_server&)>&)>& with) {
  for (std::size_t size = 0; size < ok.size(); ++size) {
    const int cut_request = kept ? 1 : 0;
    auto script = [=](scripted_peer& peer, int number) -> task<> {
      for (int n = 0;; ++n) {
        const bool asked = co_await peer.request();
        if (!asked) co_return;
        if (number != 0 || n != cut_request) {
          co_await peer.send(number == 0 ? ok : good);
          continue;
        }
        co_await peer.send(ok.substr(0, size));
        co_await tare::sleep_for(10ms);
        if (how == cut::end) {
          peer.say_end();
          co_await peer.until_closed();
        } else if (how == cut::reset) {
          peer.reset();
        }
        co_return;
      }
    };
    with(tls, script, [&](scripted_server& server) -> task<> {
      client asking(scripted_server::trusting());
      if (kept) {
        const std::string first = co_await get(asking, server.url());
        EXPECT_EQ(first, "200 ok");
      }
      const std::string seen = co_await ask(asking, request(method, server.url()));
      if (size == 0 && kept && method == "GET") {
        EXPECT_EQ(seen, "200 good") << "the kept connection had ended";
      } else {
        EXPECT_NE(seen.find("error: "), std::string::npos) << "cut after " << size << ": " << seen;
      }
      EXPECT_EQ(asking.idle_connections(), seen == "200 good" ? 1U : 0U);
      const std::string next = co_await get(asking, server.url());
      EXPECT_EQ(next, "200 good") << "after a response that was truncated after " << size;
      EXPECT_EQ(server.accepted(), 2);
    });
  }
}

TEST_P(http_client_states, a_response_cut_at_any_byte_is_an_error_and_the_next_request_gets_its_own) {
  for (const bool tls : {false, true}) {
    for (const bool kept : {false, true}) {
      for (const cut how : {cut::end, cut::closed, cut::reset}) {
        SCOPED_TRACE((tls ? "TLS, " : "plain, ") + std::string(kept ? "kept, " : "fresh, ") +
                     std::to_string(static_cast<int>(how)));
        cut_everywhere(tls, kept, how, "GET", &http_client_states::with);
      }
    }
  }
}

TEST_P(http_client_states, a_post_is_never_repeated) {
  for (const bool tls : {false, true}) {
    for (const cut how : {cut::end, cut::closed, cut::reset}) {
      SCOPED_TRACE((tls ? "TLS, " : "plain, ") + std::to_string(static_cast<int>(how)));
      cut_everywhere(tls, true, how, "POST", &http_client_states::with);
    }
  }
}

TEST_P(http_client_states, a_kept_connection_that_ended_before_the_request_is_replaced_whatever_the_method) {
  for (const bool tls : {false, true}) {
    for (const cut how : {cut::end, cut::closed, cut::reset}) {
      for (const char* method : {"GET", "POST"}) {
        auto script = [=](scripted_peer& peer, int number) -> task<> {
          if (number != 0) {
            co_await answer_all(peer, good);
            co_return;
          }
          (void)co_await peer.request();
          co_await peer.send(ok);
          if (how == cut::end) {
            peer.say_end();
            co_await peer.until_closed();
          } else if (how == cut::reset) {
            peer.reset();
          }
        };
        with(tls, script, [&](scripted_server& server) -> task<> {
          client asking(scripted_server::trusting());
          const std::string first = co_await get(asking, server.url());
          EXPECT_EQ(first, "200 ok");
          co_await tare::sleep_for(100ms);
          const std::string second = co_await ask(asking, request(method, server.url()));
          EXPECT_EQ(second, "200 good") << tls << method << static_cast<int>(how);
        });
      }
    }
  }
}

// A request is repeated once, on a new connection, and not once for each kept one.
TEST_P(http_client_states, a_request_is_repeated_once) {
  for (const bool tls : {false, true}) {
    int requests = 0;
    auto script = [&](scripted_peer& peer, int number) -> task<> {
      for (int n = 0;; ++n) {
        const bool asked = co_await peer.request();
        if (!asked) co_return;
        if (n > 0 || number >= 3) {
          ++requests;
          co_return;  // closes the connection
        }
        co_await tare::sleep_for(10ms);
        co_await peer.send(ok);
      }
    };
    with(tls, script, [&](scripted_server& server) -> task<> {
      client asking(scripted_server::trusting());
      auto one = [&]() -> task<> { EXPECT_EQ(co_await get(asking, server.url()), "200 ok"); };
      co_await tare::when_all(one(), one(), one());
      EXPECT_EQ(asking.idle_connections(), 3U);
      const std::string seen = co_await get(asking, server.url());
      EXPECT_NE(seen.find("error: "), std::string::npos) << seen;
      EXPECT_EQ(requests, 2);
    });
  }
}

// --- unrequested bytes -----------------------------------------------------------------------------------------------

/// Bytes after a response, sent immediately or before the next request, never become its response.
TEST_P(http_client_states, surplus_bytes_close_the_connection) {
  for (const bool tls : {false, true}) {
    for (const std::string_view first :
         {ok, std::string_view("HTTP/1.1 204 No Content\r\n\r\n"),
          std::string_view("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")}) {
      for (const bool at_once : {true, false}) {
        for (std::size_t size = 1; size <= planted.size(); size += size < 3 ? 1 : 7) {
          auto script = [=](scripted_peer& peer, int number) -> task<> {
            if (number != 0) {
              co_await answer_all(peer, good);
              co_return;
            }
            (void)co_await peer.request();
            if (at_once) {
              co_await peer.send(std::string(first) + std::string(planted.substr(0, size)));
            } else {
              co_await peer.send(first);
              co_await tare::sleep_for(10ms);
              co_await peer.send(planted.substr(0, size));
            }
            const bool again = co_await peer.request();
            EXPECT_FALSE(again) << "a connection with surplus bytes was used again";
          };
          with(tls, script, [&](scripted_server& server) -> task<> {
            client asking(scripted_server::trusting());
            const std::string before = co_await get(asking, server.url());
            EXPECT_EQ(before, first.starts_with("HTTP/1.1 204") ? "204 " : "200 ok");
            co_await tare::sleep_for(50ms);
            const std::string next = co_await get(asking, server.url());
            EXPECT_EQ(next, "200 good") << "TLS " << tls << ", at once " << at_once << ", " << size << " bytes";
          });
        }
      }
    }
  }
}

/// The bytes are in the socket, but the reactor does not know about them when the next request is made.
TEST_P(http_client_states, surplus_bytes_that_the_reactor_has_not_seen_close_the_connection) {
  for (const bool tls : {false, true}) {
    scripted_peer* first = nullptr;
    auto script = [&](scripted_peer& peer, int number) -> task<> {
      if (number != 0) {
        co_await answer_all(peer, good);
        co_return;
      }
      (void)co_await peer.request();
      co_await peer.send(ok);
      first = &peer;
      const bool again = co_await peer.request();
      EXPECT_FALSE(again);
    };
    with(tls, script, [&](scripted_server& server) -> task<> {
      client asking(scripted_server::trusting());
      const std::string before = co_await get(asking, server.url());
      EXPECT_EQ(before, "200 ok");
      co_await tare::sleep_for(10ms);
      // Sending does not wait, so the reactor is not polled between this and the next request.
      co_await first->send(planted);
      const std::string next = co_await get(asking, server.url());
      EXPECT_EQ(next, "200 good") << "TLS " << tls;
    });
  }
}

/// A relay that delays the end of a TLS record planted by the server, until the next request.
task<> relay_holding_back(tare::net::stream client_side, std::uint16_t port, std::size_t passed) {
  auto server_side = co_await tare::net::connect(tare::net::endpoint::loopback(port));
  std::string held;
  bool planting = false;
  bool planted_before = false;
  const auto began = tare::now();
  auto up = [&]() -> task<> {
    for (;;) {
      auto got = co_await client_side.read();
      if (!got || got->empty()) break;
      if (planting) (void)co_await client_side.write(tare::testing::bytes_of(held));
      (void)co_await server_side->write(got->bytes());
    }
    server_side->close();
  };
  auto down = [&]() -> task<> {
    for (;;) {
      auto got = co_await server_side->read();
      if (!got || got->empty()) co_return;
      std::string text = tare::testing::text_of(got->bytes());
      // The planted record is the first one that arrives this late.
      planting = !planted_before && tare::now() >= began + 1s;
      planted_before = planted_before || planting;
      if (planting) {
        held = text.substr(std::min(passed, text.size()));
        text.resize(std::min(passed, text.size()));
      }
      (void)co_await client_side.write(tare::testing::bytes_of(text));
    }
  };
  co_await tare::when_any(up(), down());
}

TEST_P(http_client_states, a_part_of_a_record_that_came_before_the_request_closes_the_connection) {
  for (const std::size_t passed : {1U, 4U, 5U, 6U, 30U}) {
    auto script = [](scripted_peer& peer, int number) -> task<> {
      if (number != 0) {
        co_await answer_all(peer, good);
        co_return;
      }
      (void)co_await peer.request();
      co_await peer.send(ok);
      co_await tare::sleep_for(2s);
      co_await peer.send(planted);
      const bool again = co_await peer.request();
      EXPECT_FALSE(again);
    };
    with(true, script, [&](scripted_server& server) -> task<> {
      auto between = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
      const std::string url = "https://localhost:" + std::to_string(between.local()->port()) + "/";
      auto relay = [&]() -> task<> {
        co_await tare::with_scope([&](tare::scope& all) -> task<> {
          for (;;) {
            auto got = co_await between.accept();
            if (!got) co_return;
            all.spawn(relay_holding_back(std::move(*got), server.port(), passed));
          }
        });
      };
      auto use = [&]() -> task<> {
        client asking(scripted_server::trusting());
        const std::string before = co_await get(asking, url);
        EXPECT_EQ(before, "200 ok");
        co_await tare::sleep_for(3s);
        const std::string next = co_await get(asking, url);
        EXPECT_EQ(next, "200 good") << passed << " bytes of the record had arrived";
      };
      co_await tare::when_any(relay(), use());
    });
  }
}

TEST_P(http_client_states, a_switch_that_was_not_asked_for_is_an_error_and_plants_nothing) {
  const std::string unasked = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
  struct variant {
    std::string asked;
    std::string response;
  };
  const std::vector<variant> variants{
      {"", unasked},
      {"", unasked + std::string(planted)},
      {"", "HTTP/1.1 101 Switching Protocols\r\n\r\n" + std::string(planted)},
      {"", "HTTP/1.1 101 Switching Protocols\r\ncontent-length: 0\r\n\r\n" + std::string(planted)},
      {"", "HTTP/1.1 103 Early Hints\r\n\r\n" + unasked},
      {"y", unasked},
      {"y", "HTTP/1.1 101 Switching Protocols\r\n\r\n" + std::string(planted)},
      {"y, x", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x, z\r\n\r\n"},
  };
  for (const bool tls : {false, true}) {
    for (const bool kept : {false, true}) {
      for (const variant& each : variants) {
        auto script = [&](scripted_peer& peer, int number) -> task<> {
          if (number != 0) {
            co_await answer_all(peer, good);
            co_return;
          }
          if (kept) {
            (void)co_await peer.request();
            co_await peer.send(ok);
          }
          (void)co_await peer.request();
          co_await peer.send(each.response);
          const bool again = co_await peer.request();
          EXPECT_FALSE(again);
        };
        with(tls, script, [&](scripted_server& server) -> task<> {
          client asking(scripted_server::trusting());
          if (kept) {
            const std::string before = co_await get(asking, server.url());
            EXPECT_EQ(before, "200 ok");
          }
          client_request request{.url = server.url()};
          if (!each.asked.empty()) request.fields.set("upgrade", each.asked);
          const std::string seen = co_await ask(asking, std::move(request));
          EXPECT_EQ(seen, malformed) << each.response;
          EXPECT_EQ(asking.idle_connections(), 0U);
          const std::string next = co_await get(asking, server.url());
          EXPECT_EQ(next, "200 good") << each.response;
        });
      }
    }
  }
}

TEST_P(http_client_states, a_switch_that_was_asked_for_gives_the_stream) {
  for (const bool tls : {false, true}) {
    std::string head;
    auto script = [&](scripted_peer& peer, int number) -> task<> {
      if (number != 0) {
        co_await answer_all(peer, good);
        co_return;
      }
      head = co_await peer.head();
      co_await peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: X\r\nconnection: upgrade\r\n\r\nhello");
      while (peer.unread().size() < 4) {
        if (!co_await peer.more()) co_return;
      }
      co_await peer.send("you said " + peer.unread());
      peer.say_end();
      co_await peer.until_closed();
    };
    with(tls, script, [&](scripted_server& server) -> task<> {
      client asking(scripted_server::trusting({.max_connections_per_host = 1}));
      client_request request{.url = server.url()};
      request.fields.set("upgrade", "y, x");
      auto got = co_await asking.send(std::move(request));
      EXPECT_TRUE(got) << got.error().message();
      if (!got) co_return;
      EXPECT_EQ(got->status(), 101U);
      EXPECT_NE(head.find("connection: upgrade\r\n"), std::string::npos) << head;
      EXPECT_EQ(co_await got->read_all(), "");
      auto stream = got->take_stream();
      EXPECT_THROW((void)got->take_stream(), std::logic_error);
      std::array<std::byte, 3> some{};
      const auto begun = co_await stream.read(some);
      EXPECT_EQ(begun, 3U);
      auto rest = co_await stream.read();
      EXPECT_EQ(tare::testing::text_of(rest->bytes()), "lo");
      const auto sent = co_await stream.write(tare::testing::bytes_of("ping"));
      EXPECT_TRUE(sent);
      auto echoed = co_await stream.read();
      EXPECT_EQ(tare::testing::text_of(echoed->bytes()), "you said ping");
      const auto end = co_await stream.read();
      EXPECT_TRUE(end && end->empty());
      // The connection no longer counts as one of the client's.
      const std::string next = co_await get(asking, server.url());
      EXPECT_EQ(next, "200 good");
    });
  }
}

TEST_P(http_client_states, a_switched_connection_that_nobody_takes_is_closed) {
  bool closed = false;
  auto script = [&](scripted_peer& peer, int number) -> task<> {
    (void)co_await peer.request();
    if (number != 0) co_return co_await peer.send(good);
    co_await peer.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n");
    closed = !co_await peer.request();
  };
  with(false, script, [&](scripted_server& server) -> task<> {
    client asking;
    client_request request{.url = server.url()};
    request.fields.set("upgrade", "x");
    const std::string seen = co_await ask(asking, std::move(request));
    EXPECT_EQ(seen, "101 ");
    EXPECT_EQ(asking.idle_connections(), 0U);
    const std::string next = co_await get(asking, server.url());
    EXPECT_EQ(next, "200 good");
    EXPECT_TRUE(closed);
  });
}

// --- endless responses -----------------------------------------------------------------------------------------------

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

// --- both directions ------------------------------------------------------------------------------------------------

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

// --- kept connections ------------------------------------------------------------------------------------------------

TEST_P(http_client_states, hosts_are_forgotten_with_their_last_connection) {
  using tare::http::detail::client_connections;
  with(
      false, [](scripted_peer& peer, int /*number*/) { return answer_all(peer, ok); },
      [](scripted_server& server) -> task<> {
        client_connections known({.per_host = 2, .idle = 2, .idle_timeout = 1h});
        for (int i = 0; i < 100; ++i) {
          tare::http::detail::url to;
          to.host = "host" + std::to_string(i);
          to.port = "80";
          auto host = known.host(to);
          EXPECT_EQ(known.host(to), host);
          auto over = co_await tare::net::connect(tare::net::endpoint::loopback(server.port()));
          known.keep(host, tare::http::detail::connection(std::move(*over)));
          EXPECT_TRUE(i % 2 == 0 || known.take(*host));
        }
        EXPECT_LE(known.idle(), 2U);
        EXPECT_LE(known.known_hosts(), 2U);
      });
}

TEST(http_tokens, of_one_list_in_another) {
  using tare::http::detail::is_among;
  EXPECT_TRUE(is_among("websocket", "websocket"));
  EXPECT_TRUE(is_among("WebSocket", "h2c , websocket"));
  EXPECT_TRUE(is_among("a,b", "b, a"));
  EXPECT_TRUE(is_among(", a", "a"));
  EXPECT_FALSE(is_among("a,c", "b, a"));
  EXPECT_FALSE(is_among("", "a"));
  EXPECT_FALSE(is_among(" , ", "a"));
  EXPECT_FALSE(is_among("a", ""));
  EXPECT_FALSE(is_among(std::nullopt, "a"));
  EXPECT_FALSE(is_among("a", std::nullopt));
}

}  // namespace
