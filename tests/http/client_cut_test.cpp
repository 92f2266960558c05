// The HTTP client and responses that are cut at any byte.

#include "http/client_states.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>

namespace {

using namespace tare::test::client_states;
using tare::task;
using tare::test::scripted_peer;
using tare::test::scripted_server;

TARE_ON_ALL_REACTORS(http_client_states);

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
        const bool received = co_await peer.request();
        if (!received) co_return;
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
        const bool received = co_await peer.request();
        if (!received) co_return;
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
      auto run = [&]() -> task<> { EXPECT_EQ(co_await get(asking, server.url()), "200 ok"); };
      co_await tare::when_all(run(), run(), run());
      EXPECT_EQ(asking.idle_connections(), 3U);
      const std::string seen = co_await get(asking, server.url());
      EXPECT_NE(seen.find("error: "), std::string::npos) << seen;
      EXPECT_EQ(requests, 2);
    });
  }
}

}  // namespace
