// The session tickets of a server: how long they are valid, and for what.

#include "net/tls_attempt.hpp"

#include <tare/net/tls.hpp>

#include <string>
#include <thread>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
namespace tls = tare::net::tls;

tls::server_options options_with(std::chrono::seconds period, std::chrono::seconds lifetime) {
  return {
      .certificate = ours().certificate, .key = ours().key, .ticket_lifetime = lifetime, .ticket_key_period = period};
}

void run_in_virtual_time(task<> body) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(std::move(body));
}

class tls_tickets : public ::testing::TestWithParam<int> {
 protected:
  static tls_peer_options again(const attempt& made) { return {.version = GetParam(), .resumed = made.kept.get()}; }
  static tls_peer_options first() { return {.version = GetParam()}; }
};
INSTANTIATE_TEST_SUITE_P(of, tls_tickets, ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const ::testing::TestParamInfo<int>& made) {
                           return std::string(made.param == TLS1_2_VERSION ? "tls_1_2" : "tls_1_3");
                         });

TEST_P(tls_tickets, outlive_their_key_by_a_while_and_are_replaced) {
  const auto all = []() -> task<> {
    const auto with = tls::context::server(options_with(1h, 24h)).value();
    const auto a = co_await try_with(with, first());
    EXPECT_TRUE(a.done && !a.resumed);
    co_await tare::sleep_for(30min);
    EXPECT_TRUE((co_await try_with(with, again(a))).resumed);
    co_await tare::sleep_for(1h);
    // Sealed with the previous key: the ticket is accepted, and replaced with one sealed with the current key.
    const auto b = co_await try_with(with, again(a));
    EXPECT_TRUE(b.done && b.resumed);
    co_await tare::sleep_for(1h - 1s);
    EXPECT_TRUE((co_await try_with(with, again(b))).resumed);
    // Sealed with an erased key: a full handshake is needed.
    const auto late = co_await try_with(with, again(a));
    EXPECT_TRUE(late.done);
    EXPECT_FALSE(late.resumed);
    EXPECT_TRUE((co_await try_with(with, again(late))).resumed);
  };
  run_in_virtual_time(all());
}

TEST_P(tls_tickets, end_with_the_time_of_the_full_handshake) {
  const auto all = []() -> task<> {
    const auto with = tls::context::server(options_with(10h, 2h)).value();
    auto last = co_await try_with(with, first());
    // No matter how often the ticket is replaced.
    for (int i = 0; i < 3; ++i) {
      co_await tare::sleep_for(30min);
      last = co_await try_with(with, again(last));
      EXPECT_TRUE(last.done && last.resumed) << i;
    }
    co_await tare::sleep_for(30min);
    last = co_await try_with(with, again(last));
    EXPECT_TRUE(last.done);
    EXPECT_FALSE(last.resumed);
  };
  run_in_virtual_time(all());
}

TEST_P(tls_tickets, can_be_left_out) {
  const auto all = []() -> task<> {
    const auto with = tls::context::server(options_with(0s, 2h)).value();
    const auto made = co_await try_with(with, first());
    EXPECT_TRUE(made.done);
    std::size_t size = 0;
    const unsigned char* ticket = nullptr;
    ::SSL_SESSION_get0_ticket(made.kept.get(), &ticket, &size);
    EXPECT_EQ(size, 0U);
    const auto next = co_await try_with(with, again(made));
    EXPECT_TRUE(next.done);
    EXPECT_FALSE(next.resumed);
  };
  run_in_virtual_time(all());
}

TEST_P(tls_tickets, are_for_the_server_name_that_they_were_given_for) {
  const auto all = []() -> task<> {
    const auto with = tls::context::server(options_with(10h, 2h)).value();
    for (const char* before : {"a.example", ""}) {
      auto options = first();
      options.host = before;
      const auto made = co_await try_with(with, options);
      for (const char* now : {"a.example", "A.Example", "b.example", ""}) {
        auto next = again(made);
        next.host = now;
        const auto other = co_await try_with(with, next);
        EXPECT_TRUE(other.done);
        EXPECT_EQ(other.host, now);
        const bool is_same = std::string_view(before).empty() == std::string_view(now).empty() && now[0] != 'b';
        EXPECT_EQ(other.resumed, is_same) << before << " then " << now;
      }
    }
  };
  run_in_virtual_time(all());
}

TEST_P(tls_tickets, survive_a_reload_that_changes_no_policy) {
  const auto all = []() -> task<> {
    auto options = options_with(10h, 2h);
    // Suites with the same digest; otherwise OpenSSL would not issue a new ticket in place of one that it rejects.
    options.suites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";
    auto with = tls::context::server(options).value();
    const auto made = co_await try_with(with, first());
    EXPECT_TRUE(with.reload());
    EXPECT_TRUE((co_await try_with(with, again(made))).resumed);
    // A ticket must not bring back a cipher that is no longer allowed.
    auto stricter = options_with(10h, 2h);
    stricter.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
    stricter.suites = "TLS_CHACHA20_POLY1305_SHA256";
    EXPECT_TRUE(with.reload(stricter));
    const auto next = co_await try_with(with, again(made));
    EXPECT_TRUE(next.done);
    EXPECT_FALSE(next.resumed);
    EXPECT_NE(next.cipher, made.cipher);
    EXPECT_TRUE((co_await try_with(with, again(next))).resumed);
    // A ticket from another context is not accepted.
    const auto another = tls::context::server(stricter).value();
    const auto elsewhere = co_await try_with(another, again(next));
    EXPECT_TRUE(elsewhere.done);
    EXPECT_FALSE(elsewhere.resumed);
  };
  run_in_virtual_time(all());
}

TEST_P(tls_tickets, are_good_on_every_shard) {
  const auto with = tls::context::server(options_with(10h, 2h)).value();
  tare::runtime rt({.shards = 2});
  attempt made;
  bool resumed = false;
  const auto ask = [&](bool is_again) -> task<> {
    if (is_again) {
      resumed = (co_await try_with(with, again(made))).resumed;
    } else {
      made = co_await try_with(with, first());
    }
  };
  for (const unsigned shard : {0U, 1U}) {
    const auto both = [&](tare::scope& s) -> task<> {
      s.spawn_on(shard, ask(shard == 1));
      co_return;
    };
    rt.run(tare::with_scope(both));
  }
  EXPECT_TRUE(made.done);
  EXPECT_TRUE(resumed);
}

tls::server_options members_only(const std::string& authorities) {
  auto options = options_with(10h, 2h);
  options.client_authorities = authorities;
  return options;
}

TEST_P(tls_tickets, keep_the_identity_of_the_client) {
  const auto all = []() -> task<> {
    const files alice = authority::shared().sign("alice", "/CN=alice", "email:alice@example.org");
    const auto with_certificate = [&](tls_peer_options options) {
      options.with_certificate = true;
      options.certificate = alice.certificate;
      options.key = alice.key;
      return options;
    };
    auto with = tls::context::server(members_only(authority::shared().certificate())).value();
    auto made = co_await try_with(with, with_certificate(first()));
    EXPECT_TRUE(made.done && !made.resumed);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(made.client_certificate.value().subject, "CN=alice");
      EXPECT_EQ(made.client_certificate->emails, std::vector<std::string>{"alice@example.org"});
      // This time without a certificate: the one in the ticket counts.
      made = co_await try_with(with, again(made));
      EXPECT_TRUE(made.done && made.resumed) << made.alert;
      if (!made.done) co_return;
    }
    EXPECT_EQ(made.client_certificate.value().subject, "CN=alice");
    // The authority of the certificate is no longer trusted.
    EXPECT_TRUE(with.reload(members_only(ours().certificate)));
    const auto refused = co_await try_with(with, with_certificate(again(made)));
    EXPECT_FALSE(refused.done);
    // The reverse: a ticket that was issued before certificates were requested.
    EXPECT_TRUE(with.reload(options_with(10h, 2h)));
    const auto anybody = co_await try_with(with, first());
    EXPECT_FALSE(anybody.client_certificate.has_value());
    EXPECT_TRUE(with.reload(members_only(authority::shared().certificate())));
    const auto nobody = co_await try_with(with, again(anybody));
    EXPECT_FALSE(nobody.done);
    EXPECT_FALSE(nobody.resumed);
  };
  run_in_virtual_time(all());
}

TEST_P(tls_tickets, end_with_the_certificate_of_the_client) {
  const auto all = []() -> task<> {
    const files brief = authority::shared().sign_until("brief", 2s);
    const auto with = tls::context::server(members_only(authority::shared().certificate())).value();
    auto options = first();
    options.with_certificate = true;
    options.certificate = brief.certificate;
    options.key = brief.key;
    const auto made = co_await try_with(with, options);
    EXPECT_TRUE(made.done);
    if (!made.done) co_return;  // the handshake took longer than the certificate was valid
    for (int i = 0; i < 100 && std::chrono::system_clock::now() <= made.client_certificate->not_after; ++i) {
      co_await tare::offload([] { std::this_thread::sleep_for(50ms); });
    }
    co_await tare::offload([] { std::this_thread::sleep_for(50ms); });
    const auto late = co_await try_with(with, again(made));
    EXPECT_FALSE(late.done);
    EXPECT_FALSE(late.resumed);
  };
  tare::run(all());
}

TEST_P(tls_tickets, of_handshakes_that_are_cancelled_leave_nothing) {
  const auto all = []() -> task<> {
    const auto with = tls::context::server(options_with(10h, 2h)).value();
    auto made = co_await try_with(with, first());
    for (std::size_t until = 0; until < 800; until += 40) {
      auto [wire, end] = tare::net::stream::pair().value();
      tls_peer peer(again(made));
      const std::string flight = peer.step();
      const auto accept = [&](tare::scope& s) -> task<> {
        const auto serve = [&](tare::net::stream below) -> task<> {
          const auto accepted = co_await tls::stream::accept(std::move(below), with);
          EXPECT_FALSE(accepted.has_value());
        };
        s.spawn(serve(std::move(end)));
        if (until != 0) (void)co_await wire.write(bytes_of(flight.substr(0, until)));
        for (int i = 0; i < 10; ++i) co_await tare::yield();
        s.cancel();
      };
      co_await tare::with_scope(accept);
    }
    EXPECT_TRUE((co_await try_with(with, again(made))).resumed);
  };
  tare::run(all());
}

}  // namespace
