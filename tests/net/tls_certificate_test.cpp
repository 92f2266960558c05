// The contents of a certificate, and the certificate that a connection reports, before and after OpenSSL has handed it
// over.

#include "net/tls_attempt.hpp"

#include <tare/net/tls.hpp>

#include <cctype>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
namespace tls = tare::net::tls;

const authority& ca() { return authority::shared(); }

std::string output_of(const std::string& command) {
  std::string all;
  // NOLINTNEXTLINE(bugprone-command-processor): of our own words
  const std::unique_ptr<std::FILE, decltype([](std::FILE* f) { ::pclose(f); })> pipe(::popen(command.c_str(), "r"));
  for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get())) all += static_cast<char>(c);
  return all;
}

std::string der_of(const std::string& file) { return output_of("openssl x509 -in " + file + " -outform DER"); }

TEST(tls_certificate, says_whose_it_is) {
  const files made =
      ca().sign("all", "/O=Example, Inc./CN=alice/CN=al\xc3\xaf",
                "DNS:a.example,DNS:*.b.example,email:a@example,URI:spiffe://example/a,IP:192.0.2.1,IP:2001:db8::1");
  const std::string der = der_of(made.certificate);
  const auto parsed = tls::parse_certificate(bytes_of(der));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_NE(parsed->subject.find("CN=alice"), std::string::npos) << parsed->subject;
  EXPECT_NE(parsed->subject.find("O=Example\\, Inc."), std::string::npos) << parsed->subject;
  EXPECT_EQ(parsed->issuer, "CN=authority");
  EXPECT_FALSE(parsed->common_name.empty());
  EXPECT_EQ(parsed->dns_names, (std::vector<std::string>{"a.example", "*.b.example"}));
  EXPECT_EQ(parsed->emails, std::vector<std::string>{"a@example"});
  EXPECT_EQ(parsed->uris, std::vector<std::string>{"spiffe://example/a"});
  EXPECT_EQ(parsed->addresses, (std::vector<std::string>{"192.0.2.1", "2001:db8::1"}));
  EXPECT_EQ(text_of(parsed->der), der);
  // In the format of OpenSSL's command: "sha256 Fingerprint=AB:CD:..."
  std::string expected;
  for (const char c : output_of("openssl x509 -noout -sha256 -fingerprint -in " + made.certificate)) {
    if (c == '=') expected.clear();
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0) expected += static_cast<char>(std::tolower(c));
  }
  EXPECT_EQ(parsed->sha256, expected);
  const auto now = std::chrono::system_clock::now();
  EXPECT_LE(parsed->not_before, now);
  EXPECT_GT(parsed->not_after, now + 24h);
  EXPECT_LT(parsed->not_after, now + 72h);
}

TEST(tls_certificate, is_nothing_but_a_whole_one) {
  const std::string der = der_of(ours().certificate);
  ASSERT_TRUE(tls::parse_certificate(bytes_of(der)).has_value());
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_FALSE(tls::parse_certificate(bytes_of(der).first(size)).has_value()) << size;
  }
  EXPECT_FALSE(tls::parse_certificate(bytes_of(der + 'x')).has_value());
}

tls::server_options members(tls::client_certificates rule) {
  return {.certificate = ours().certificate,
          .key = ours().key,
          .client_authorities = ca().certificate(),
          .client_certificate = rule};
}

TEST(tls_certificate, of_a_client_may_be_optional) {
  const files alice = ca().sign("alice", "/CN=alice", "");
  for (const auto rule : {tls::client_certificates::required, tls::client_certificates::optional}) {
    const auto with = tls::context::server(members(rule)).value();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      const auto none = tare::run(try_with(with, tls_peer_options{.version = version}));
      EXPECT_EQ(none.done, rule == tls::client_certificates::optional);
      EXPECT_FALSE(none.client_certificate.has_value());
      const auto known = tare::run(try_with(
          with, tls_peer_options{
                    .version = version, .with_certificate = true, .certificate = alice.certificate, .key = alice.key}));
      EXPECT_TRUE(known.done);
      EXPECT_EQ(known.client_certificate.value().common_name, "alice");
      // A client certificate from another authority is refused in both modes.
      const auto foreign = tare::run(try_with(with, tls_peer_options{.version = version, .with_certificate = true}));
      EXPECT_FALSE(foreign.done);
      EXPECT_NE(foreign.alert, 0);
    }
  }
}

TEST(tls_certificate, of_a_server_is_kept_if_it_is_asked_for) {
  const auto all = []() -> task<> {
    for (const bool keeps : {false, true}) {
      for (const auto version : {tls::protocol::tls_1_2, tls::protocol::tls_1_3}) {
        const auto of_client =
            tls::context::client(
                {.authorities = ours().certificate, .max_version = version, .keep_server_certificate = keeps})
                .value();
        const auto of_server = server_context();
        auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
        for (const bool again : {false, true}) {
          auto plain = co_await tare::net::connect(listening.local().value());
          auto accepted = co_await listening.accept();
          std::string name = "localhost";
          auto [client, server] =
              co_await tare::when_all(tls::stream::connect(std::move(plain.value()), of_client, std::move(name)),
                                      tls::stream::accept(std::move(accepted.value()), of_server));
          EXPECT_EQ(client->peer_certificate().has_value(), keeps);
          (void)co_await server->write(bytes_of("x"));
          (void)co_await client->read();
          EXPECT_EQ(client->resumed(), again);
          const auto shown = client->peer_certificate();
          EXPECT_EQ(shown.has_value(), keeps);
          if (shown) {
            EXPECT_EQ(shown->common_name, "localhost");
          }
          EXPECT_FALSE(server->peer_certificate().has_value());
          client->close();
          EXPECT_FALSE(client->peer_certificate().has_value());
        }
      }
    }
  };
  tare::run(all());
}

}  // namespace
