// What counts as a handshake and what does not: alerts in place of its messages at every stage, and host names that no
// certificate can be valid for.

#include "net/on_reactors.hpp"
#include "net/tls/identity.hpp"
#include "net/tls_contexts.hpp"
#include "net/tls_peer.hpp"
#include "support/sanitizers.hpp"

#include <tare/net/tls.hpp>

#include <openssl/err.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
namespace tls = tare::net::tls;

tls::context members_context() {
  return tls::context::server(
             {.certificate = ours().certificate, .key = ours().key, .client_authorities = ours().certificate})
      .value();
}

/// Sends the first `until` bytes of a correct handshake, then the alert, then nothing. Returns whether something that
/// the handshake needs was left unsent; the tickets of TLS 1.3 are not needed, and the last bytes of a record are
/// random: once in 256 times, the only one left is the first one of the alert.
task<bool> say_until(tare::net::stream to, tls_peer& peer, std::size_t until, std::string_view alert) {
  const bool has_tickets = ::SSL_is_server(peer.get()) == 1 &&
                           SSL_CTX_get_min_proto_version(::SSL_get_SSL_CTX(peer.get())) == TLS1_3_VERSION;
  bool unsaid = false;
  for (;;) {
    const std::string flight = peer.step();
    const std::string part = flight.substr(0, until);
    until -= part.size();
    if (!part.empty()) (void)co_await to.write(bytes_of(part));
    const bool was_cut = part.size() < flight.size();
    unsaid = !alert.starts_with(std::string_view(flight).substr(part.size())) && !(has_tickets && peer.is_done());
    if (was_cut || peer.is_done()) break;
    auto got = co_await to.read();
    if (!got || got->empty()) break;
    peer.receive(got->bytes());
  }
  (void)co_await to.write(bytes_of(alert));
  (void)to.shutdown_write();
  // Until our end has closed.
  for (;;) {
    auto got = co_await to.read();
    if (!got || got->empty()) break;
  }
  co_return unsaid;
}

task<tare::net::result<tls::stream>> shake(tare::net::stream below, bool server, const tls::context& with) {
  if (server) co_return co_await tls::stream::accept(std::move(below), with);
  std::string name = "localhost";
  co_return co_await tls::stream::connect(std::move(below), with, std::move(name));
}

/// Whether our end accepts it as a handshake.
task<bool> is_taken(tare::net::stream below, bool server, const tls::context& with) {
  const auto made = co_await shake(std::move(below), server, with);
  co_return made.has_value();
}

using parameters = std::tuple<bool, int>;
class tls_handshake_test : public ::testing::TestWithParam<parameters> {};

TEST_P(tls_handshake_test, an_alert_at_any_byte_is_none) {
  const auto [server, version] = GetParam();
  const tls::context with = server ? members_context() : client_context();
  const auto all = [&, server = server, version = version]() -> task<> {
    constexpr std::string_view first("\x15\x03\x03\x00\x02\x01\x00", 7);
    for (const std::string_view alert :
         {first, std::string_view("\x15\x03\x03\x00\x02\x02\x00", 7),
          std::string_view("\x15\x03\x01\x00\x02\x01\x00", 7), std::string_view("\x15\x03\x03\x00\x02\x01\x5a", 7),
          std::string_view("\x15\x03\x03\x00\x02\x01\x5a\x15\x03\x03\x00\x02\x01\x00", 14)}) {
      std::size_t until = 0;
      // The first alert at every byte, the others at some bytes; at few with sanitizers, because there is one
      // thread.
      constexpr std::size_t thinned = support::has_thread_sanitizer ? 13 : support::has_address_sanitizer ? 5 : 1;
      const std::size_t stride = alert == first ? thinned : 7 * thinned;
      for (bool was_cut = true; was_cut; until += stride) {
        auto [wire, end] = tare::net::stream::pair().value();
        tls_peer peer({.server = !server, .version = version, .with_certificate = true});
        auto [taken, unsaid] = co_await tare::when_all(is_taken(std::move(end), server, with),
                                                       say_until(std::move(wire), peer, until, alert));
        was_cut = unsaid;
        EXPECT_FALSE(taken && unsaid) << "after " << until << " bytes";
        if (taken && unsaid) co_return;
      }
      EXPECT_GT(until, 200U);
    }
  };
  tare::run(all());
}

INSTANTIATE_TEST_SUITE_P(of, tls_handshake_test,
                         ::testing::Combine(::testing::Bool(), ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION)),
                         [](const ::testing::TestParamInfo<parameters>& made) {
                           return std::string(std::get<0>(made.param) ? "server" : "client") +
                                  (std::get<1>(made.param) == TLS1_2_VERSION ? "_1_2" : "_1_3");
                         });

TEST(tls_handshake, asks_for_the_certificate_of_a_client) {
  const tls::context with = members_context();
  const auto all = [&]() -> task<> {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      for (const bool certified : {false, true}) {
        auto [wire, end] = tare::net::stream::pair().value();
        tls_peer peer({.version = version, .with_certificate = certified});
        auto [taken, unsaid] = co_await tare::when_all(is_taken(std::move(end), true, with),
                                                       say_until(std::move(wire), peer, 1U << 20U, {}));
        EXPECT_EQ(taken, certified);
      }
    }
  };
  tare::run(all());
}

TEST(tls_handshake, says_why_it_has_failed_before_the_connection_is_reset) {
  const tls::context with = members_context();
  const auto all = [&]() -> task<> {
    for (int i = 0; i < 20; ++i) {
      auto [wire, end] = co_await connect_loopback();
      tls_peer peer({});
      const auto ask = [&peer](tare::net::stream to) -> task<> {
        std::string flight = peer.step();
        while (!peer.is_done()) {
          (void)co_await to.write(bytes_of(flight));
          auto got = co_await to.read();
          if (!got || got->empty()) co_return;
          peer.receive(got->bytes());
          flight = peer.step();
        }
        // A certificate was requested, but none is sent; more data follows that the server will not read.
        flight += std::string(20'000, 'x');
        (void)co_await to.write(bytes_of(flight));
        co_await tare::sleep_for(2ms);
        for (;;) {
          auto got = co_await to.read();
          EXPECT_TRUE(got.has_value()) << got.error().message();
          if (!got || got->empty()) break;
          peer.receive(got->bytes());
        }
        (void)peer.read();
        EXPECT_EQ(ERR_GET_REASON(::ERR_get_error()), SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED);
        ::ERR_clear_error();
      };
      auto [taken, none] = co_await tare::when_all(is_taken(std::move(end), true, with), ask(std::move(wire)));
      EXPECT_FALSE(taken);
    }
  };
  tare::run(all());
}

TEST(tls_identity, is_a_name_or_an_address_or_refused) {
  const auto name = [](std::string_view host) {
    const auto made = tls::identity_of(host);
    return made && !made->is_address ? made->host : "refused";
  };
  const auto address = [](std::string_view host) {
    const auto made = tls::identity_of(host);
    return made && made->is_address ? made->host : "refused";
  };
  EXPECT_EQ(name("example.org"), "example.org");
  EXPECT_EQ(name("example.org."), "example.org");
  EXPECT_EQ(name("a_b-1.x"), "a_b-1.x");
  EXPECT_EQ(name(std::string(63, 'a') + ".b"), std::string(63, 'a') + ".b");
  EXPECT_EQ(address("127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(address("::1"), "::1");
  EXPECT_EQ(address("::1%lo"), "::1");
  EXPECT_EQ(address("fe80::1%2"), "fe80::1");
  EXPECT_EQ(address("::ffff:127.0.0.1%lo"), "::ffff:127.0.0.1");
  std::string long_name = "a";
  while (long_name.size() <= 253) long_name += ".a";
  for (const std::string& host : {std::string(),
                                  std::string("."),
                                  std::string(".."),
                                  std::string(".example"),
                                  std::string("..example"),
                                  std::string("a..b"),
                                  std::string("example.."),
                                  std::string("*"),
                                  std::string("*.example"),
                                  std::string("evil.example\0.org", 17),
                                  std::string("\0", 1),
                                  std::string(64, 'a') + ".b",
                                  long_name,
                                  std::string("[::1]"),
                                  std::string("::1%"),
                                  std::string("%lo"),
                                  std::string("127.0.0.1%lo"),
                                  std::string("example.org%lo"),
                                  std::string("::1%lo\0", 7),
                                  std::string("127.1"),
                                  std::string("2130706433"),
                                  std::string("127.0.0.1."),
                                  std::string("1:2"),
                                  std::string("a b"),
                                  std::string("a/b"),
                                  std::string("a:443"),
                                  std::string("user@example"),
                                  std::string("ex\xc3\xa4mple")}) {
    const auto made = tls::identity_of(host);
    EXPECT_FALSE(made.has_value()) << host;
    // A host that cannot be verified is not connected to, even if the context verifies nothing.
    const auto connect = [](std::string to) -> task<> {
      auto [wire, end] = tare::net::stream::pair().value();
      const auto careless = tls::context::client({.verify = false}).value();
      const auto refused = co_await tls::stream::connect(std::move(end), careless, std::move(to));
      EXPECT_FALSE(refused.has_value());
      EXPECT_EQ(refused.error(), std::errc::invalid_argument);
    };
    tare::run(connect(host));
  }
}

TEST(tls_identity, of_an_address_with_a_zone_is_verified) {
  // The certificate is valid for 127.0.0.1 and localhost.
  const auto is_trusted = [](std::string host) -> task<> {
    for (const bool right : {true, false}) {
      auto [wire, end] = co_await connect_loopback();
      const auto server = server_context();
      const auto client = client_context();
      std::string name = right ? "localhost." : host;
      auto [taken, other] = co_await tare::when_all(
          [](tare::net::stream below, const tls::context& with, std::string to) -> task<bool> {
            const auto made = co_await tls::stream::connect(std::move(below), with, std::move(to));
            co_return made.has_value();
          }(std::move(end), client, std::move(name)),
          is_taken(std::move(wire), true, server));
      EXPECT_EQ(taken, right) << host;
    }
  };
  for (const char* host : {"::1", "::1%lo", "::1%1", "fe80::1%2"}) tare::run(is_trusted(host));
}

}  // namespace
