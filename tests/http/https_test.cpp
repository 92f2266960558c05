// HTTP over TLS: the server and the client with each other, and with peers that expect something else.

#include "frame/heap.hpp"
#include "http/loopback.hpp"
#include "support/identity.hpp"

#include <gtest/gtest.h>
#include <openssl/x509_vfy.h>

#include <functional>
#include <string>

namespace {

using tare::task;
using tare::http::client;
using tare::http::client_options;
using tare::http::server;
using tare::test::echo;
namespace tls = tare::net::tls;

const support::identity& ours() { return support::identity::shared(); }

tls::context server_context() {
  return tls::context::server({.certificate = ours().certificate, .key = ours().key, .alpn = {"http/1.1"}}).value();
}

client_options trusting() {
  client_options options;
  options.tls = tls::context::client({.authorities = ours().certificate, .alpn = {"http/1.1"}}).value();
  return options;
}

std::string url_of(std::uint16_t port) { return "https://localhost:" + std::to_string(port) + "/"; }

class https : public tare::test::http_test {
 protected:
  static void with_server(const std::function<task<>(server&, std::uint16_t)>& body) {
    http_test::with_server(echo, {}, body, server_context());
  }
};
TARE_ON_ALL_REACTORS(https);

TEST_P(https, answers_on_a_kept_connection) {
  with_server([](server& serving, std::uint16_t port) -> task<> {
    client asking(trusting());
    for (int i = 0; i < 20; ++i) {
      const std::string body = "body " + std::to_string(i);
      auto got = co_await asking.post(url_of(port), "text/plain", body);
      EXPECT_TRUE(got) << got.error().message();
      if (!got) co_return;
      EXPECT_EQ((co_await got->read_all()).value(), body);
      EXPECT_EQ(asking.idle_connections(), 1U);
    }
    EXPECT_EQ(serving.connections(), 1U);
    EXPECT_EQ(serving.requests(), 20U);
  });
}

TEST_P(https, carries_a_large_body_both_ways) {
  with_server([](server& /*serving*/, std::uint16_t port) -> task<> {
    client asking(trusting());
    const std::string body(1'000'000, 'b');
    auto got = co_await asking.post(url_of(port), "text/plain", body);
    EXPECT_EQ((co_await got.value().read_all()).value(), body);
  });
}

TEST_P(https, trusts_nobody_unasked) {
  with_server([](server& /*serving*/, std::uint16_t port) -> task<> {
    client asking;
    auto got = co_await asking.get(url_of(port));
    EXPECT_EQ(got.error(), (std::error_code(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, tls::certificate_category())));
  });
}

TEST_P(https, drops_those_who_do_not_speak_tls_and_serves_on) {
  with_server([](server& serving, std::uint16_t port) -> task<> {
    auto plain = co_await tare::test::raw_client::connect(port);
    co_await plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string response = co_await plain.read_all();
    EXPECT_EQ(response.find("HTTP/"), std::string::npos) << response;
    // A client that sends nothing must not keep the server from stopping.
    auto silent = co_await tare::test::raw_client::connect(port);
    client asking(trusting());
    auto got = co_await asking.get(url_of(port));
    EXPECT_EQ(got.value().status(), 200U);
    EXPECT_EQ(serving.requests(), 1U);
  });
}

/// Responds with the name of the client.
task<> say_who(tare::http::request& request, tare::http::response& response) {
  const auto client = request.peer_certificate();
  const std::string text = client ? client->common_name : "nobody";
  (void)co_await response.send("text/plain", text);
}

TEST_P(https, handlers_know_the_certificate_of_the_client) {
  const auto asks = [](const client_options& as, const std::string& expected) {
    return [&as, &expected](server& /*serving*/, std::uint16_t port) -> task<> {
      // The second request uses a kept connection, whose OpenSSL state has been freed.
      client asking(as);
      for (int i = 0; i < 2; ++i) {
        auto got = co_await asking.get(url_of(port));
        EXPECT_EQ((co_await got.value().read_all()).value(), expected);
        EXPECT_EQ(asking.idle_connections(), 1U);
      }
      // And with a ticket.
      client again(as);
      auto got = co_await again.get(url_of(port));
      EXPECT_EQ((co_await got.value().read_all()).value(), expected);
    };
  };
  const auto members = tls::context::server({.certificate = ours().certificate,
                                             .key = ours().key,
                                             .client_authorities = ours().certificate,
                                             .client_certificate = tls::client_certificates::optional})
                           .value();
  for (const auto version : {tls::protocol::tls_1_2, tls::protocol::tls_1_3}) {
    client_options known;
    known.tls = tls::context::client({.authorities = ours().certificate,
                                      .certificate = ours().certificate,
                                      .key = ours().key,
                                      .max_version = version})
                    .value();
    http_test::with_server(say_who, {}, asks(known, "localhost"), members);
  }
  const client_options unknown = trusting();
  http_test::with_server(say_who, {}, asks(unknown, "nobody"), members);
  // The server does not request a certificate.
  http_test::with_server(say_who, {}, asks(unknown, "nobody"), server_context());
}

TEST_P(https, serves_with_what_has_been_loaded_anew) {
  const support::identity next;
  auto identity = server_context();
  http_test::with_server(
      echo, {},
      [&](server& serving, std::uint16_t port) -> task<> {
        client before(trusting());
        EXPECT_TRUE(co_await before.get(url_of(port)));
        EXPECT_TRUE(identity.reload(
            tls::server_options{.certificate = next.certificate, .key = next.key, .alpn = {"http/1.1"}}));
        // A new client does not trust the new certificate, a client that expects it does, and the first client's
        // connection continues.
        client stranger(trusting());
        EXPECT_FALSE(co_await stranger.get(url_of(port)));
        client_options options;
        options.tls = tls::context::client({.authorities = next.certificate, .alpn = {"http/1.1"}}).value();
        client after(options);
        EXPECT_TRUE(co_await after.get(url_of(port)));
        EXPECT_TRUE(co_await before.get(url_of(port)));
        EXPECT_EQ(serving.requests(), 3U);
      },
      identity);
}

TEST_P(https, serves_on_after_any_allocation_has_failed) {
  with_server([](server& serving, std::uint16_t port) -> task<> {
    int failures = 0;
    for (std::uint64_t nth = 1; nth <= 120; ++nth) {
      // Connections that have not ended yet would cause the failing allocation.
      for (int ms = 0; ms < 100 && serving.connections() != 0; ++ms) {
        co_await tare::sleep_for(std::chrono::milliseconds(1));
      }
      try {
        client asking(trusting());
        tare::detail::current_heap->fail_at(nth);
        auto got = co_await asking.get(url_of(port));
        failures += got ? 0 : 1;
      } catch (const std::bad_alloc&) {
        ++failures;
      }
      tare::detail::current_heap->fail_at(0);
      client again(trusting());
      auto got = co_await again.get(url_of(port));
      EXPECT_TRUE(got) << nth << ": " << got.error().message();
    }
    EXPECT_GT(failures, 5);
  });
}

}  // namespace
