// After a connection has been closed, its keys are nowhere in memory.

#include "net/on_reactors.hpp"
#include "net/tls_contexts.hpp"
#include "net/tls_peer.hpp"

#include <tare/net/tls.hpp>

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <array>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
namespace tls = tare::net::tls;

/// The key of a direction with each byte inverted, so that the result is not itself a copy of the key.
std::vector<unsigned char> inverted_key(const tls_peer& peer, std::string_view label) {
  const bool is_sha384 = std::string_view(::SSL_get_cipher_name(peer.get())).ends_with("SHA384");
  const std::size_t bytes = std::string_view(::SSL_get_cipher_name(peer.get())).contains("128") ? 16 : 32;
  std::vector<unsigned char> secret = peer.secret(label);
  std::vector<unsigned char> key(bytes);
  EVP_KDF* const kdf = ::EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_3_KDF, nullptr);
  EVP_KDF_CTX* const context = ::EVP_KDF_CTX_new(kdf);
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  std::string digest = is_sha384 ? "SHA384" : "SHA256";
  std::string prefix = "tls13 ";
  std::string name = "key";
  const std::array<OSSL_PARAM, 6> parameters{
      ::OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      ::OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
      ::OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
      ::OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix.data(), prefix.size()),
      ::OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, name.data(), name.size()),
      ::OSSL_PARAM_construct_end()};
  EXPECT_EQ(::EVP_KDF_derive(context, key.data(), key.size(), parameters.data()), 1);
  ::EVP_KDF_CTX_free(context);
  ::EVP_KDF_free(kdf);
  std::vector<unsigned char> inverted(key);
  for (unsigned char& each : inverted) each = static_cast<unsigned char>(~each);
  ::OPENSSL_cleanse(key.data(), key.size());
  ::OPENSSL_cleanse(secret.data(), secret.size());
  return inverted;
}

/// The number of copies of the key in writable memory, except in the stack.
int copies_of(const std::vector<unsigned char>& inverted) {
  int found = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::array<char, 5> access{};
    // NOLINTNEXTLINE(bugprone-unchecked-string-to-number-conversion): the kernel has written them
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s", &begin, &end, access.data()) != 3) continue;
    if (access[0] != 'r' || access[1] != 'w' || line.contains("[stack]") || line.contains("/")) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the address of a mapping
    const auto* const from = reinterpret_cast<const volatile unsigned char*>(begin);
    for (std::size_t at = 0; at + inverted.size() <= end - begin; at += 4) {
      std::size_t same = 0;
      while (same < inverted.size() && from[at + same] == static_cast<unsigned char>(~inverted[same])) ++same;
      found += same == inverted.size() ? 1 : 0;
    }
  }
  return found;
}

class tls_secrets : public ::testing::TestWithParam<const char*> {};

TEST_P(tls_secrets, are_overwritten_when_the_connection_is_closed) {
  std::vector<unsigned char> received;
  std::vector<unsigned char> sent;
  const auto converse = [&]() -> task<> {
    auto [wire, end] = tare::net::stream::pair().value();
    const auto with = server_context();
    auto peer = std::make_unique<tls_peer>(tls_peer_options{.suite = GetParam()});
    const auto ask = [&](tare::net::stream to) -> task<> {
      while (!peer->is_done()) {
        const std::string flight = peer->step();
        if (!flight.empty()) (void)co_await to.write(bytes_of(flight));
        if (peer->is_done()) break;
        auto got = co_await to.read();
        if (!got || got->empty()) co_return;
        peer->receive(got->bytes());
      }
      peer->write("question");
      (void)co_await to.write(bytes_of(peer->sent()));
      std::string response;
      while (response.empty()) {
        auto got = co_await to.read();
        if (!got || got->empty()) break;
        peer->receive(got->bytes());
        response = peer->read();
      }
      EXPECT_EQ(response, "answer");
      received = inverted_key(*peer, "CLIENT_TRAFFIC_SECRET_0 ");
      sent = inverted_key(*peer, "SERVER_TRAFFIC_SECRET_0 ");
      EXPECT_GE(copies_of(received), 1);
      EXPECT_GE(copies_of(sent), 1);
      peer.reset();
    };
    const auto serve = [&](tare::net::stream below) -> task<> {
      auto s = co_await tls::stream::accept(std::move(below), with);
      EXPECT_EQ(text_of((co_await s->read())->bytes()), "question");
      (void)co_await s->write(bytes_of("answer"));
      (void)co_await s->read();
    };
    co_await tare::when_all(serve(std::move(end)), ask(std::move(wire)));
  };
  tare::run(converse());
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(copies_of(received), 0);
  EXPECT_EQ(copies_of(sent), 0);
}

INSTANTIATE_TEST_SUITE_P(of, tls_secrets,
                         ::testing::Values("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                           "TLS_CHACHA20_POLY1305_SHA256"),
                         [](const ::testing::TestParamInfo<const char*>& made) { return std::string(made.param); });

}  // namespace
