// Records of TLS 1.3, compared with the trace in RFC 8448, and sealed and opened again.

#include "net/tls/traffic_keys.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using namespace tare::net::tls;

std::vector<std::uint8_t> of_hex(std::string_view text) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

std::vector<std::byte> bytes_from(const std::vector<std::uint8_t>& octets) {
  std::vector<std::byte> bytes(octets.size());
  std::ranges::transform(octets, bytes.begin(), [](std::uint8_t each) { return std::byte{each}; });
  return bytes;
}

void set_up(traffic_keys& keys, cipher_suite suite, std::string_view secret) {
  ASSERT_TRUE(keys.set_secret(of_hex(secret)));
  ASSERT_TRUE(keys.derive(suite));
}

// RFC 8448, section 3: the first record of application data from the client, and the one from the server, which comes
// after a ticket.
constexpr std::string_view clients = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
constexpr std::string_view servers = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";
constexpr std::string_view clients_record =
    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2"
    "977014bd1e3deae63aeebb21694915e4";
constexpr std::string_view servers_record =
    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8fcc49c4bf2e5f0a2"
    "1c0047c2abf332540dd032e167c2955d";

std::vector<std::byte> first_fifty() {
  std::vector<std::byte> counted;
  for (std::uint8_t i = 0; i < 50; ++i) counted.push_back(std::byte{i});
  return counted;
}

TEST(traffic_keys, make_the_records_of_the_published_trace) {
  for (const auto& [secret, sequence, expected] :
       {std::tuple(clients, 0U, clients_record), std::tuple(servers, 1U, servers_record)}) {
    traffic_keys sender;
    set_up(sender, cipher_suite::aes_128_gcm_sha256, secret);
    sender.set_sequence(sequence);
    std::array<std::byte, 128> record{};
    const std::size_t size =
        sender.seal(cipher_suite::aes_128_gcm_sha256, content_type::application_data, first_fifty(), record);
    const auto bytes = bytes_from(of_hex(expected));
    ASSERT_EQ(size, bytes.size());
    EXPECT_TRUE(std::ranges::equal(bytes, std::span(record).first(size)));

    traffic_keys receiver;
    set_up(receiver, cipher_suite::aes_128_gcm_sha256, secret);
    receiver.set_sequence(sequence);
    const auto opened = receiver.open(cipher_suite::aes_128_gcm_sha256, std::span(record).first(size));
    ASSERT_TRUE(opened.has_value());
    EXPECT_EQ(opened->type, content_type::application_data);
    EXPECT_TRUE(std::ranges::equal(opened->bytes, first_fifty()));
  }
}

TEST(traffic_keys, of_every_suite_carry_every_size_and_change) {
  const std::array suites{std::pair(cipher_suite::aes_128_gcm_sha256, 32),
                          std::pair(cipher_suite::aes_256_gcm_sha384, 48),
                          std::pair(cipher_suite::chacha20_poly1305_sha256, 32)};
  for (const auto& [suite, size] : suites) {
    traffic_keys sender;
    traffic_keys receiver;
    const std::vector<std::uint8_t> secret(static_cast<std::size_t>(size), 7);
    for (traffic_keys* keys : {&sender, &receiver}) {
      ASSERT_TRUE(keys->set_secret(secret));
      ASSERT_TRUE(keys->derive(suite));
    }
    std::vector<std::byte> record(traffic_keys::max_record_bytes);
    for (const std::size_t plain_bytes :
         {std::size_t{0}, std::size_t{1}, std::size_t{1000}, traffic_keys::max_plain_bytes}) {
      const std::vector<std::byte> plain(plain_bytes, std::byte{0});  // zeros, which must be distinguished from padding
      const std::size_t sealed = sender.seal(suite, content_type::handshake, plain, record);
      EXPECT_EQ(sealed, plain_bytes + traffic_keys::overhead_bytes);
      const auto opened = receiver.open(suite, std::span(record).first(sealed));
      ASSERT_TRUE(opened.has_value());
      EXPECT_EQ(opened->type, content_type::handshake);
      EXPECT_TRUE(std::ranges::equal(opened->bytes, plain));
      ASSERT_TRUE(sender.update(suite));
      ASSERT_TRUE(receiver.update(suite));
      EXPECT_EQ(sender.sequence(), 0U);
    }
  }
}

TEST(traffic_keys, refuse_what_was_changed_or_repeated) {
  constexpr auto suite = cipher_suite::chacha20_poly1305_sha256;
  traffic_keys sender;
  set_up(sender, suite, clients);
  std::array<std::byte, 64> record{};
  const std::size_t size = sender.seal(suite, content_type::application_data, {}, record);
  for (std::size_t i = 0; i < size; ++i) {
    traffic_keys receiver;
    set_up(receiver, suite, clients);
    auto changed = record;
    changed.at(i) ^= std::byte{1};
    EXPECT_FALSE(receiver.open(suite, std::span(changed).first(size)).has_value()) << i;
  }
  traffic_keys receiver;
  set_up(receiver, suite, clients);
  auto copy = record;
  EXPECT_TRUE(receiver.open(suite, std::span(copy).first(size)).has_value());
  copy = record;
  EXPECT_FALSE(receiver.open(suite, std::span(copy).first(size)).has_value());
  EXPECT_FALSE(receiver.open(suite, std::span(copy).first(traffic_keys::overhead_bytes - 1)).has_value());
}

TEST(traffic_keys, refuse_secrets_that_are_not_the_suites) {
  traffic_keys keys;
  EXPECT_FALSE(keys.derive(cipher_suite::aes_128_gcm_sha256));
  ASSERT_TRUE(keys.set_secret(std::vector<std::uint8_t>(32)));
  EXPECT_FALSE(keys.derive(cipher_suite::aes_256_gcm_sha384));
  EXPECT_FALSE(keys.derive(cipher_suite::none));
  EXPECT_FALSE(keys.set_secret(std::vector<std::uint8_t>(49)));
  EXPECT_EQ(suite_of(0x1304), cipher_suite::none);
  EXPECT_EQ(suite_of(0x1302), cipher_suite::aes_256_gcm_sha384);
}

}  // namespace
