// What a TLS server accepts: versions, ciphers and their order, certificates by name, and what a reload changes.

#include "net/tls/server_certificates.hpp"
#include "net/tls_attempt.hpp"

#include <tare/net/tls.hpp>

#include <array>
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
namespace tls = tare::net::tls;

const authority& ca() { return authority::shared(); }

struct set_of_files {
  files plain = ca().sign("plain", "/CN=plain", "DNS:localhost");
  files rsa = ca().sign("rsa", "/CN=rsa", "DNS:localhost", "rsa");
  files api = ca().sign("api", "/CN=api", "DNS:api.example,DNS:Other.Example");
  files wild = ca().sign("wild", "/CN=wild", "DNS:*.example");
  files nameless = ca().sign("nameless", "/O=nobody", "");
};
const set_of_files& all_files() {
  static const set_of_files made;
  return made;
}

tls::server_options usual() { return {.certificate = all_files().plain.certificate, .key = all_files().plain.key}; }
tls::server_options with_rsa() { return {.certificate = all_files().rsa.certificate, .key = all_files().rsa.key}; }

attempt attempt_with(const tls::context& with, const tls_peer_options& options) {
  return tare::run(try_with(with, options));
}

constexpr int handshake_failure = SSL_AD_HANDSHAKE_FAILURE;
constexpr int protocol_version = SSL_AD_PROTOCOL_VERSION;

TEST(tls_ciphers, are_of_forward_secrecy_and_not_cbc) {
  // With both kinds of keys: RSA key exchange needs an RSA key, and CBC works with both.
  for (const bool is_rsa : {false, true}) {
    const auto with = tls::context::server(is_rsa ? with_rsa() : usual()).value();
    for (const char* bad :
         {"ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384",
          "AES128-SHA", "AES128-GCM-SHA256:AES256-GCM-SHA384", "AES256-SHA256:AES128-SHA256"}) {
      const auto made = attempt_with(with, {.version = TLS1_2_VERSION, .ciphers = bad});
      EXPECT_FALSE(made.done) << bad;
      EXPECT_EQ(made.alert, handshake_failure) << bad;
    }
    const auto made = attempt_with(with, {.version = TLS1_2_VERSION, .ciphers = "ALL"});
    EXPECT_TRUE(made.done);
    EXPECT_EQ(made.cipher, is_rsa ? "ECDHE-RSA-AES128-GCM-SHA256" : "ECDHE-ECDSA-AES128-GCM-SHA256");
  }
}

TEST(tls_ciphers, are_chosen_in_the_order_of_the_server_but_chacha_for_those_who_prefer_it) {
  const auto with = tls::context::server(usual()).value();
  const auto chosen = [&](const char* offered) {
    return attempt_with(with, {.version = TLS1_2_VERSION, .ciphers = offered}).cipher;
  };
  EXPECT_EQ(chosen("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"), "ECDHE-ECDSA-AES128-GCM-SHA256");
  EXPECT_EQ(chosen("ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256"), "ECDHE-ECDSA-CHACHA20-POLY1305");
  EXPECT_EQ(chosen("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"), "ECDHE-ECDSA-AES256-GCM-SHA384");
  // The same for TLS 1.3.
  auto options = usual();
  options.suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
  const auto ordered = tls::context::server(options).value();
  const auto chosen_1_3 = [&](const char* offered) { return attempt_with(ordered, {.suite = offered}).cipher; };
  EXPECT_EQ(chosen_1_3("TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"), "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(chosen_1_3("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"), "TLS_CHACHA20_POLY1305_SHA256");
  EXPECT_EQ(chosen_1_3("TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"), "TLS_AES_256_GCM_SHA384");
}

TEST(tls_ciphers, can_be_chosen) {
  auto options = usual();
  options.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA";
  options.suites = "TLS_CHACHA20_POLY1305_SHA256";
  const auto with = tls::context::server(options).value();
  EXPECT_EQ(attempt_with(with, {.version = TLS1_2_VERSION, .ciphers = "ALL"}).cipher, "ECDHE-ECDSA-AES256-GCM-SHA384");
  EXPECT_TRUE(attempt_with(with, {.version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-SHA"}).done);
  EXPECT_EQ(attempt_with(with, {.version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"}).alert,
            handshake_failure);
  EXPECT_EQ(attempt_with(with, {}).cipher, "TLS_CHACHA20_POLY1305_SHA256");
  EXPECT_EQ(attempt_with(with, {.suite = "TLS_AES_128_GCM_SHA256"}).alert, handshake_failure);
}

TEST(tls_versions, are_those_between_the_least_and_the_most) {
  using enum tls::protocol;
  struct expectation {
    tls::protocol min, max;
    bool takes_1_2, takes_1_3;
  };
  for (const auto& each : {expectation{tls_1_2, tls_1_3, true, true}, expectation{tls_1_2, tls_1_2, true, false},
                           expectation{tls_1_3, tls_1_3, false, true}}) {
    auto options = usual();
    options.min_version = each.min;
    options.max_version = each.max;
    const auto with = tls::context::server(options).value();
    const auto old = attempt_with(with, {.version = TLS1_2_VERSION});
    EXPECT_EQ(old.done, each.takes_1_2);
    EXPECT_EQ(old.alert, each.takes_1_2 ? 0 : protocol_version);
    const auto recent = attempt_with(with, {.version = TLS1_3_VERSION});
    EXPECT_EQ(recent.done, each.takes_1_3);
    EXPECT_EQ(recent.alert, each.takes_1_3 ? 0 : protocol_version);
    EXPECT_EQ(attempt_with(with, {.version = TLS1_2_VERSION, .max_version = TLS1_3_VERSION}).cipher.starts_with("TLS_"),
              each.takes_1_3);
  }
  // The client's options.
  const auto shake = [](const tls::context& client, int version) {
    const auto both = [&]() -> task<bool> {
      auto [wire, end] = tare::net::stream::pair().value();
      tls_peer peer({.server = true, .version = version});
      const auto serve = [&](tare::net::stream to) -> task<> {
        bool is_open = true;
        while (is_open && !peer.is_done()) {
          const std::string flight = peer.step();
          ::ERR_clear_error();
          if (!flight.empty()) (void)co_await to.write(bytes_of(flight));
          if (peer.is_done()) break;
          auto got = co_await to.read();
          is_open = got && !got->empty();
          if (is_open) peer.receive(got->bytes());
        }
        (void)to.shutdown_write();
        (void)co_await to.read();
      };
      const auto ask = [&](tare::net::stream below) -> task<bool> {
        std::string name = "localhost";
        const auto made = co_await tls::stream::connect(std::move(below), client, std::move(name));
        co_return made.has_value();
      };
      auto [done, none] = co_await tare::when_all(ask(std::move(end)), serve(std::move(wire)));
      co_return done;
    };
    return tare::run(both());
  };
  const auto old = tls::context::client({.verify = false, .max_version = tls_1_2}).value();
  const auto recent = tls::context::client({.verify = false, .min_version = tls_1_3}).value();
  EXPECT_TRUE(shake(old, TLS1_2_VERSION));
  EXPECT_FALSE(shake(old, TLS1_3_VERSION));
  EXPECT_FALSE(shake(recent, TLS1_2_VERSION));
  EXPECT_TRUE(shake(recent, TLS1_3_VERSION));
}

TEST(tls_options, that_cannot_be_are_named) {
  const auto wrong = [](auto change) {
    auto options = usual();
    change(options);
    const auto made = tls::context::server(options);
    return made ? std::string("made") : made.error().file();
  };
  using options = tls::server_options;
  EXPECT_EQ(wrong([](options& o) { o.ciphers = "NO-SUCH-CIPHER"; }), "ciphers");
  EXPECT_EQ(wrong([](options& o) { o.suites = "TLS_NO_SUCH_SUITE"; }), "suites");
  EXPECT_EQ(wrong([](options& o) {
              o.min_version = tls::protocol::tls_1_3;
              o.max_version = tls::protocol::tls_1_2;
            }),
            "min_version");
  EXPECT_EQ(wrong([](options& o) { o.alpn = {""}; }), "alpn");
  EXPECT_EQ(wrong([](options& o) { o.alpn = {std::string(256, 'a')}; }), "alpn");
  EXPECT_EQ(wrong([](options& o) { o.ticket_lifetime = 0s; }), "ticket_lifetime");
  EXPECT_EQ(wrong([](options& o) { o.ticket_lifetime = 24h * 7 + 1s; }), "ticket_lifetime");
  EXPECT_EQ(wrong([](options& o) { o.ticket_key_period = -1s; }), "ticket_key_period");
  EXPECT_EQ(wrong([](options& o) { o.more_certificates = {{.certificate = "/none", .key = "/none"}}; }), "/none");
  EXPECT_EQ(wrong([](options& o) {
              const files& nameless = all_files().nameless;
              o.more_certificates = {{.certificate = nameless.certificate, .key = nameless.key}};
            }),
            all_files().nameless.certificate);
  // With a key that belongs to another certificate.
  EXPECT_EQ(wrong([](options& o) { o.key = all_files().api.key; }), all_files().api.key);
  EXPECT_EQ(wrong([](options&) {}), "made");
}

tls::server_options several() {
  auto options = usual();
  for (const files* each : {&all_files().rsa, &all_files().api, &all_files().wild}) {
    options.more_certificates.push_back({.certificate = each->certificate, .key = each->key});
  }
  return options;
}

std::string shown_to(const tls::context& with, const tls_peer_options& options) {
  const auto made = attempt_with(with, options);
  if (!made.done) return "alert " + std::to_string(made.alert);
  EXPECT_EQ(made.host, options.host);
  return made.server_certificate->common_name;
}

struct asked_name {
  const char* host;
  const char* shown;
  bool known;
};
constexpr asked_name asked_names[] = {
    {"api.example", "api", true}, {"API.EXAMPLE", "api", true}, {"other.example", "api", true},
    {"a.example", "wild", true},  {"A.Example", "wild", true},  {"a.b.example", "plain", false},
    {"example", "plain", false},  {"xexample", "plain", false}, {"unknown", "plain", false},
    {"localhost", "plain", true}, {"", "plain", true},
};

TEST(tls_names, choose_the_certificate) {
  for (const bool refuses : {false, true}) {
    auto options = several();
    options.refuse_unknown_names = refuses;
    const auto with = tls::context::server(options).value();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      for (const auto& each : asked_names) {
        const std::string expected =
            refuses && !each.known ? "alert " + std::to_string(SSL_AD_UNRECOGNIZED_NAME) : each.shown;
        EXPECT_EQ(shown_to(with, {.version = version, .host = each.host}), expected) << each.host;
      }
    }
  }
  // With only one certificate too.
  auto alone = usual();
  alone.refuse_unknown_names = true;
  const auto with = tls::context::server(alone).value();
  EXPECT_EQ(shown_to(with, {}), "plain");
  EXPECT_EQ(shown_to(with, {.host = "unknown"}), "alert " + std::to_string(SSL_AD_UNRECOGNIZED_NAME));
}

TEST(tls_names, may_have_certificates_with_keys_of_several_kinds) {
  const auto with = tls::context::server(several()).value();
  for (const char* host : {"localhost", "unknown", ""}) {
    EXPECT_EQ(shown_to(with, {.host = host, .signatures = "RSA-PSS+SHA256"}), "rsa") << host;
    EXPECT_EQ(shown_to(with, {.host = host, .signatures = "ECDSA+SHA256"}), "plain") << host;
  }
  // The default certificate does not replace the one for the name.
  auto rsa_first = with_rsa();
  rsa_first.more_certificates = {{.certificate = all_files().api.certificate, .key = all_files().api.key}};
  const auto mixed = tls::context::server(rsa_first).value();
  EXPECT_EQ(shown_to(mixed, {.host = "api.example", .signatures = "RSA-PSS+SHA256"}),
            "alert " + std::to_string(handshake_failure));
  EXPECT_EQ(shown_to(mixed, {.host = "api.example"}), "api");
  EXPECT_EQ(shown_to(with, {.host = "api.example", .signatures = "RSA-PSS+SHA256"}),
            "alert " + std::to_string(handshake_failure));
}

TEST(tls_names, that_are_none_are_looked_up_without_harm) {
  tls::server_certificates known;
  ASSERT_TRUE(known.add({.certificate = all_files().plain.certificate, .key = all_files().plain.key}));
  ASSERT_TRUE(known.add({.certificate = all_files().wild.certificate, .key = all_files().wild.key}));
  for (const std::string& host : {std::string(), std::string("."), std::string(".example"), std::string("*.example"),
                                  std::string("*"), std::string("a.example\0", 10), std::string(5000, 'a')}) {
    EXPECT_FALSE(known.knows(host)) << host;
  }
  EXPECT_TRUE(known.knows("a.example."));
  EXPECT_TRUE(known.knows("LOCALHOST"));
}

/// Files that a test can replace.
struct replaceable {
  explicit replaceable(const files& first) { replace(first); }
  void replace(const files& by) const {
    constexpr auto over = std::filesystem::copy_options::overwrite_existing;
    std::filesystem::copy_file(by.certificate, now.certificate, over);
    std::filesystem::copy_file(by.key, now.key, over);
  }
  support::temporary_folder folder;
  files now{.certificate = folder / "now.pem", .key = folder / "now.key"};
};

TEST(tls_reload, is_for_those_who_come_later) {
  const replaceable identity(all_files().plain);
  auto with = tls::context::server({.certificate = identity.now.certificate, .key = identity.now.key}).value();
  const tls::context copy = with;
  EXPECT_EQ(shown_to(copy, {}), "plain");
  identity.replace(all_files().api);
  EXPECT_EQ(shown_to(copy, {}), "plain");
  ASSERT_TRUE(with.reload());
  EXPECT_EQ(shown_to(copy, {}), "api");
  // A failed reload changes nothing: wrong key, truncated file, missing file, invalid options.
  std::filesystem::copy_file(all_files().plain.certificate, identity.now.certificate,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(with.reload().error().file(), identity.now.key);
  std::filesystem::resize_file(identity.now.certificate, 100);
  EXPECT_EQ(with.reload().error().file(), identity.now.certificate);
  std::filesystem::remove(identity.now.certificate);
  EXPECT_EQ(with.reload().error(), std::errc::no_such_file_or_directory);
  auto wrong = usual();
  wrong.ciphers = "NONE";
  EXPECT_EQ(with.reload(wrong).error().file(), "ciphers");
  EXPECT_EQ(shown_to(copy, {}), "api");
  // A later reload starts from the state in use, not from the failed one.
  identity.replace(all_files().plain);
  ASSERT_TRUE(with.reload());
  EXPECT_EQ(shown_to(copy, {}), "plain");
  ASSERT_TRUE(with.reload(several()));
  EXPECT_EQ(shown_to(copy, {.host = "a.example"}), "wild");
}

std::string shown_by(const tls_peer& peer) {
  std::array<char, 200> text{};
  ::X509_NAME_oneline(::X509_get_subject_name(::SSL_get0_peer_certificate(peer.get())), text.data(),
                      static_cast<int>(text.size()));
  return text.data();
}

TEST(tls_reload, may_come_from_several_threads_during_handshakes) {
  const tls::server_options api{.certificate = all_files().api.certificate, .key = all_files().api.key};
  auto with = tls::context::server(usual()).value();
  std::atomic<bool> ends = false;
  const auto handshakes = [&with, &ends] {
    int count = 0;
    for (; count < 3 || !ends; ++count) {
      const tls_peer_options options{.version = count % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION};
      const auto made = attempt_with(with, options);
      EXPECT_TRUE(made.done);
      if (!made.server_certificate) continue;
      const std::string& name = made.server_certificate->common_name;
      EXPECT_TRUE(name == "plain" || name == "api") << name;
    }
    return count;
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) threads.emplace_back(handshakes);
  // Either rereads the files of whichever options are in force, and must not bring former options back.
  std::thread rereads([&with, &ends] {
    while (!ends) EXPECT_TRUE(with.reload());
  });
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(with.reload(i % 2 == 0 ? usual() : api));
    (void)with.erase_old_ticket_keys();
  }
  EXPECT_TRUE(with.reload(usual()));
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(with.reload(api));
    EXPECT_TRUE(with.reload());
    EXPECT_EQ(shown_to(with, {}), "api");
    EXPECT_TRUE(with.reload(usual()));
  }
  ends = true;
  rereads.join();
  for (auto& thread : threads) thread.join();
}

TEST(tls_reload, leaves_handshakes_and_connections_what_they_have) {
  const auto all = []() -> task<> {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      // The number of flights of the server that the client has seen when the context is reloaded.
      for (const int reload_at : {0, 1}) {
        const auto first = usual();
        const tls::server_options other{.certificate = all_files().api.certificate, .key = all_files().api.key};
        auto with = tls::context::server(first).value();
        tls_peer peer({.version = version});
        auto [wire, end] = tare::net::stream::pair().value();
        const auto ask = [&](tare::net::stream to) -> task<std::string> {
          int flights = 0;
          std::string text;
          (void)co_await to.write(bytes_of(peer.step()));
          while (text.empty()) {
            if (flights++ == reload_at) {
              // The server has sent something, so it has received the ClientHello.
              (void)co_await to.readable();
              EXPECT_TRUE(with.reload(other));
            }
            auto got = co_await to.read();
            if (!got || got->empty()) break;
            peer.receive(got->bytes());
            const std::string flight = peer.step();
            if (!flight.empty()) (void)co_await to.write(bytes_of(flight));
            if (peer.is_done()) text = peer.read();
          }
          co_return text;
        };
        const auto serve = [&](tare::net::stream below) -> task<> {
          auto accepted = co_await tls::stream::accept(std::move(below), with);
          EXPECT_TRUE(accepted.has_value());
          if (!accepted) co_return;
          (void)co_await accepted->write(bytes_of("x"));
          (void)co_await accepted->read();
        };
        auto [text, none] = co_await tare::when_all(ask(std::move(wire)), serve(std::move(end)));
        EXPECT_EQ(text, "x") << reload_at;
        EXPECT_EQ(shown_by(peer), "/CN=plain") << version << ' ' << reload_at;
        const tls_peer_options of_version{.version = version};
        auto next = co_await try_with(with, of_version);
        EXPECT_EQ(next.server_certificate->common_name, "api");
      }
    }
  };
  tare::run(all());
}

}  // namespace
