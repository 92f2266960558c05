#include "net/tls/traffic_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace tare::net::tls {

namespace {

constexpr std::size_t tag_bytes = 16;

struct suite_facts {
  std::uint16_t number;
  const char* cipher;
  const char* digest;
  std::size_t secret_bytes;
  std::size_t key_bytes;
};

constexpr std::array<suite_facts, 4> suites{{
    {.number = 0, .cipher = nullptr, .digest = nullptr, .secret_bytes = 0, .key_bytes = 0},
    {.number = 0x1301, .cipher = "AES-128-GCM", .digest = "SHA256", .secret_bytes = 32, .key_bytes = 16},
    {.number = 0x1302, .cipher = "AES-256-GCM", .digest = "SHA384", .secret_bytes = 48, .key_bytes = 32},
    {.number = 0x1303, .cipher = "ChaCha20-Poly1305", .digest = "SHA256", .secret_bytes = 32, .key_bytes = 32},
}};

const suite_facts& facts_of(cipher_suite suite) noexcept { return suites.at(std::to_underlying(suite)); }

struct free_context {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { ::EVP_CIPHER_CTX_free(context); }
};

/// One per thread, for all its connections: setting a key is cheap compared with keeping a context per connection. Null
/// until it is used.
std::unique_ptr<EVP_CIPHER_CTX, free_context>& existing_context_of(cipher_suite suite) noexcept {
  thread_local std::array<std::unique_ptr<EVP_CIPHER_CTX, free_context>, suites.size()> contexts;
  return contexts.at(std::to_underlying(suite));
}

EVP_CIPHER_CTX* context_of(cipher_suite suite) noexcept {
  auto& context = existing_context_of(suite);
  if (context != nullptr) return context.get();
  std::unique_ptr<EVP_CIPHER_CTX, free_context> made(::EVP_CIPHER_CTX_new());
  EVP_CIPHER* const cipher = ::EVP_CIPHER_fetch(nullptr, facts_of(suite).cipher, nullptr);
  const bool is_set = made != nullptr && cipher != nullptr &&
                      ::EVP_CipherInit_ex2(made.get(), cipher, nullptr, nullptr, 1, nullptr) == 1;
  ::EVP_CIPHER_free(cipher);  // the context keeps its own reference
  if (is_set) context = std::move(made);
  return context.get();
}

/// HKDF-Expand-Label without a context (RFC 8446, 7.1).
bool expand(cipher_suite suite, std::span<const std::uint8_t> secret, std::string_view label,
            std::span<std::uint8_t> buffer) noexcept {
  EVP_KDF* const kdf = ::EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_3_KDF, nullptr);
  EVP_KDF_CTX* const context = kdf == nullptr ? nullptr : ::EVP_KDF_CTX_new(kdf);
  ::EVP_KDF_free(kdf);
  if (context == nullptr) return false;
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  std::string_view prefix = "tls13 ";
  // OpenSSL takes a non-const pointer although it only reads.
  const auto octets = [](const char* name, const void* data, std::size_t size) {
    return ::OSSL_PARAM_construct_octet_string(name, const_cast<void*>(data), size);
  };
  const std::array<OSSL_PARAM, 6> parameters{
      ::OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      ::OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, const_cast<char*>(facts_of(suite).digest), 0),
      octets(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
      octets(OSSL_KDF_PARAM_PREFIX, prefix.data(), prefix.size()),
      octets(OSSL_KDF_PARAM_LABEL, label.data(), label.size()),
      ::OSSL_PARAM_construct_end(),
  };
  const int derived = ::EVP_KDF_derive(context, buffer.data(), buffer.size(), parameters.data());
  ::EVP_KDF_CTX_free(context);
  return derived == 1;
}

unsigned char* raw(std::byte* bytes) noexcept { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* raw(const std::byte* bytes) noexcept { return reinterpret_cast<const unsigned char*>(bytes); }

}  // namespace

cipher_suite suite_of(std::uint16_t number) noexcept {
  const auto* const found = std::ranges::find(suites, number, &suite_facts::number);
  return found == suites.end() ? cipher_suite::none : static_cast<cipher_suite>(found - suites.begin());
}

// A record under a key of zeros overwrites the key schedule, the nonce, and the state of the authentication.
void forget_last_key(cipher_suite suite) noexcept {
  EVP_CIPHER_CTX* const context = suite == cipher_suite::none ? nullptr : existing_context_of(suite).get();
  if (context == nullptr) return;
  constexpr std::array<unsigned char, 32> zeros{};
  std::array<unsigned char, 32> sealed{};
  int ignored = 0;
  if (::EVP_EncryptInit_ex(context, nullptr, nullptr, zeros.data(), zeros.data()) != 1 ||
      ::EVP_EncryptUpdate(context, sealed.data(), &ignored, zeros.data(), static_cast<int>(tag_bytes)) != 1 ||
      ::EVP_EncryptFinal_ex(context, sealed.data(), &ignored) != 1) {
    existing_context_of(suite).reset();  // freeing overwrites it too
  }
}

traffic_keys::~traffic_keys() { ::OPENSSL_cleanse(this, sizeof(*this)); }

bool traffic_keys::set_secret(std::span<const std::uint8_t> secret) noexcept {
  if (secret.size() > secret_.size()) return false;
  std::ranges::copy(secret, secret_.begin());
  secret_bytes_ = static_cast<std::uint8_t>(secret.size());
  return true;
}

bool traffic_keys::derive(cipher_suite suite) noexcept {
  const suite_facts& facts = facts_of(suite);
  if (suite == cipher_suite::none || secret_bytes_ != facts.secret_bytes) return false;
  const auto secret = std::span(secret_).first(secret_bytes_);
  return expand(suite, secret, "key", std::span(key_).first(facts.key_bytes)) && expand(suite, secret, "iv", iv_);
}

bool traffic_keys::update(cipher_suite suite) noexcept {
  std::array<std::uint8_t, 48> next{};
  const auto as_long = std::span(next).first(secret_bytes_);
  const bool done = expand(suite, std::span(secret_).first(secret_bytes_), "traffic upd", as_long) &&
                    set_secret(as_long) && derive(suite);
  ::OPENSSL_cleanse(next.data(), next.size());
  sequence_ = 0;
  return done;
}

std::array<std::uint8_t, 12> traffic_keys::nonce() const noexcept {
  std::array<std::uint8_t, 12> made = iv_;
  for (std::size_t i = 0; i < sizeof(sequence_); ++i) {
    made[made.size() - 1 - i] ^= static_cast<std::uint8_t>(sequence_ >> (8 * i));
  }
  return made;
}

std::size_t traffic_keys::seal(cipher_suite suite, content_type type, std::span<const std::byte> plain,
                               std::span<std::byte> buffer) noexcept {
  EVP_CIPHER_CTX* const context = context_of(suite);
  if (context == nullptr) return 0;
  const std::size_t sealed = plain.size() + 1 + tag_bytes;
  // To middleboxes, every record looks like application data of TLS 1.2.
  const std::array<std::uint8_t, header_bytes> header{std::to_underlying(content_type::application_data), 3, 3,
                                                      static_cast<std::uint8_t>(sealed >> 8U),
                                                      static_cast<std::uint8_t>(sealed)};
  std::memcpy(buffer.data(), header.data(), header.size());
  const auto inner = static_cast<unsigned char>(type);
  unsigned char* const body = raw(buffer.data()) + header_bytes;
  int ignored = 0;
  const bool done = ::EVP_EncryptInit_ex(context, nullptr, nullptr, key_.data(), nonce().data()) == 1 &&
                    ::EVP_EncryptUpdate(context, nullptr, &ignored, header.data(), header_bytes) == 1 &&
                    (plain.empty() || ::EVP_EncryptUpdate(context, body, &ignored, raw(plain.data()),
                                                          static_cast<int>(plain.size())) == 1) &&
                    ::EVP_EncryptUpdate(context, body + plain.size(), &ignored, &inner, 1) == 1 &&
                    ::EVP_EncryptFinal_ex(context, body + plain.size() + 1, &ignored) == 1 &&
                    ::EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, tag_bytes, body + plain.size() + 1) == 1;
  if (!done) return 0;
  ++sequence_;
  return header_bytes + sealed;
}

std::optional<opened_record> traffic_keys::open(cipher_suite suite, std::span<std::byte> record) noexcept {
  EVP_CIPHER_CTX* const context = context_of(suite);
  if (context == nullptr || record.size() < overhead_bytes) return std::nullopt;
  const auto sealed = record.subspan(header_bytes, record.size() - header_bytes - tag_bytes);
  int ignored = 0;
  const bool done =
      ::EVP_DecryptInit_ex(context, nullptr, nullptr, key_.data(), nonce().data()) == 1 &&
      ::EVP_DecryptUpdate(context, nullptr, &ignored, raw(record.data()), header_bytes) == 1 &&
      ::EVP_DecryptUpdate(context, raw(sealed.data()), &ignored, raw(sealed.data()), static_cast<int>(sealed.size())) ==
          1 &&
      ::EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, tag_bytes, sealed.data() + sealed.size()) == 1 &&
      ::EVP_DecryptFinal_ex(context, raw(sealed.data()) + sealed.size(), &ignored) == 1;
  if (!done) return std::nullopt;
  ++sequence_;
  // The content is followed by its type and as many zeros as the sender likes.
  std::size_t size = sealed.size();
  while (size != 0 && sealed[size - 1] == std::byte{0}) --size;
  if (size == 0) return opened_record{.type = content_type::none, .bytes = sealed.first(0)};
  return opened_record{.type = static_cast<content_type>(sealed[size - 1]), .bytes = sealed.first(size - 1)};
}

}  // namespace tare::net::tls
