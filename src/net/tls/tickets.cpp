// Session tickets: what a server's tickets contain, when they are valid, and which tickets a client offers.

#include "net/tls/connection_name.hpp"
#include "net/tls/context.hpp"

#include <tare/sleep.hpp>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <chrono>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace tare::net::tls {

namespace {

constexpr std::size_t iv_bytes = 16;
constexpr std::chrono::seconds max_ticket_lifetime = std::chrono::hours(24 * 7);  // RFC 8446, 4.6.1

/// Our part of a ticket: when its full handshake took place, by the clock of the keys, and for which host.
struct ticket_data {
  std::int64_t made = 0;
  std::string_view host;
};

std::string write(const ticket_data& data) {
  std::string bytes(sizeof(data.made), '\0');
  std::memcpy(bytes.data(), &data.made, sizeof(data.made));
  return bytes + std::string(data.host);
}

std::optional<ticket_data> read_ticket_data(SSL_SESSION* ticket) noexcept {
  void* data = nullptr;
  std::size_t size = 0;
  ticket_data read;
  if (::SSL_SESSION_get0_ticket_appdata(ticket, &data, &size) != 1 || size < sizeof(read.made)) return std::nullopt;
  std::memcpy(&read.made, data, sizeof(read.made));
  read.host = std::string_view(static_cast<const char*>(data), size).substr(sizeof(read.made));
  return read;
}

std::int64_t present() noexcept { return now().time_since_epoch().count(); }

bool set_keys(const ticket_key& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
              bool seal) noexcept {
  std::array<char, 7> digest{"SHA256"};
  auto copy = key.mac;
  const std::array<OSSL_PARAM, 3> parameters{
      ::OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, copy.data(), copy.size()),
      ::OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0), ::OSSL_PARAM_construct_end()};
  const bool set =
      ::EVP_CipherInit_ex2(cipher, ::EVP_aes_256_cbc(), key.cipher.data(), iv, seal ? 1 : 0, nullptr) == 1 &&
      ::EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
  ::OPENSSL_cleanse(copy.data(), copy.size());
  return set;
}

bool is_valid_now(const X509* certificate) noexcept {
  return certificate == nullptr || ::X509_cmp_current_time(::X509_get0_notAfter(certificate)) > 0;
}

}  // namespace

context_core::done context_core::set_tickets(const server_options& options, std::shared_ptr<ticket_keys> keys) {
  if (options.ticket_key_period < options.ticket_key_period.zero()) {
    return std::unexpected(context_error(std::make_error_code(std::errc::invalid_argument), "ticket_key_period"));
  }
  if (options.ticket_lifetime <= options.ticket_lifetime.zero() || options.ticket_lifetime > max_ticket_lifetime) {
    return std::unexpected(context_error(std::make_error_code(std::errc::invalid_argument), "ticket_lifetime"));
  }
  if (!bind_tickets(options)) return std::unexpected(context_error(openssl_error().error()));
  if (options.ticket_key_period == options.ticket_key_period.zero()) {
    ::SSL_CTX_set_options(context_, SSL_OP_NO_TICKET);
    ::SSL_CTX_set_num_tickets(context_, 0);
    return {};
  }
  keys_ = std::move(keys);
  ticket_lifetime_ = options.ticket_lifetime;
  SSL_CTX_set_timeout(context_, static_cast<long>(options.ticket_lifetime.count()));
  ::SSL_CTX_set_tlsext_ticket_key_evp_cb(context_, &context_core::use_ticket_key);
  ::SSL_CTX_set_session_ticket_cb(context_, &context_core::write_ticket, &context_core::read_ticket, this);
  return {};
}

// OpenSSL resumes no session of another session ID context, but it does not check which authorities may verify clients
// now, nor which ciphers are allowed. So the ID is derived from these.
bool context_core::bind_tickets(const server_options& options) {
  std::string policy = "tare " + std::to_string(std::to_underlying(options.min_version)) + ' ' +
                       std::to_string(std::to_underlying(options.max_version)) + ' ' + options.ciphers + ' ' +
                       options.suites + ' ' + std::to_string(::SSL_CTX_get_verify_mode(context_)) + ' ';
  STACK_OF(X509)* const authorities = ::X509_STORE_get1_all_certs(::SSL_CTX_get_cert_store(context_));
  bool is_whole = authorities != nullptr;
  for (int i = 0; is_whole && i < sk_X509_num(authorities); ++i) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    is_whole = ::X509_digest(sk_X509_value(authorities, i), ::EVP_sha256(), digest.data(), &size) == 1;
    policy.append(reinterpret_cast<const char*>(digest.data()), size);
  }
  sk_X509_pop_free(authorities, &::X509_free);
  std::array<unsigned char, EVP_MAX_MD_SIZE> name{};
  unsigned size = 0;
  return is_whole && ::EVP_Digest(policy.data(), policy.size(), name.data(), &size, ::EVP_sha256(), nullptr) == 1 &&
         ::SSL_CTX_set_session_id_context(context_, name.data(), size) == 1;
}

int context_core::use_ticket_key(SSL* connection, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                                 EVP_MAC_CTX* mac, int seal) noexcept {
  constexpr int failed = -1;
  constexpr int unknown = 0;
  constexpr int opens = 1;
  constexpr int opens_and_is_to_be_replaced = 2;
  ticket_keys& keys = *of(::SSL_get_SSL_CTX(connection)).keys_;
  ticket_key key;
  if (seal == 1) {
    if (!keys.take_current(key, now()) || ::RAND_bytes(iv, iv_bytes) != 1) return failed;
    std::memcpy(name, key.name.data(), key.name.size());
    return set_keys(key, iv, cipher, mac, true) ? 1 : failed;
  }
  const auto age = keys.find(std::span<const std::uint8_t, 16>(name, 16), key, now());
  if (age == ticket_keys::age::unknown) return unknown;
  if (!set_keys(key, iv, cipher, mac, false)) return failed;
  return age == ticket_keys::age::current ? opens : opens_and_is_to_be_replaced;
}

int context_core::write_ticket(SSL* connection, void* /*self*/) noexcept {
  SSL_SESSION* const ticket = ::SSL_get_session(connection);
  // A ticket that replaces another one keeps its data: the time is that of the full handshake.
  if (read_ticket_data(ticket)) return 1;
  try {
    const std::string host = normal_name(connection_name(connection));
    const std::string data = write({.made = present(), .host = host});
    return ::SSL_SESSION_set1_ticket_appdata(ticket, data.data(), data.size());
  } catch (const std::bad_alloc&) {
    return 0;
  }
}

SSL_TICKET_RETURN context_core::read_ticket(SSL* connection, SSL_SESSION* ticket, const unsigned char* /*name*/,
                                            std::size_t /*name_bytes*/, SSL_TICKET_STATUS status, void* self) noexcept {
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
  const auto data = read_ticket_data(ticket);
  if (!data) return SSL_TICKET_RETURN_IGNORE_RENEW;
  const std::int64_t age = present() - data->made;
  try {
    const bool is_good = age >= 0 && age < static_cast<context_core*>(self)->ticket_lifetime_.count() &&
                         data->host == normal_name(connection_name(connection)) &&
                         is_valid_now(::SSL_SESSION_get0_peer(ticket));
    if (!is_good) return SSL_TICKET_RETURN_IGNORE_RENEW;
  } catch (const std::bad_alloc&) {
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  }
  // A client uses a TLS 1.3 ticket only once, and needs another one.
  const bool replaces = status == SSL_TICKET_SUCCESS_RENEW || ::SSL_version(connection) == TLS1_3_VERSION;
  return replaces ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}

// --- clients --------------------------------------------------------------------------------------------------------

void context_core::offer_ticket(SSL* connection, std::string server) {
  if (const auto known = tickets_.take(server)) ::SSL_set_session(connection, known.get());
  set_connection_name(connection, std::move(server));
}

int context_core::keep_ticket(SSL* connection, SSL_SESSION* ticket) noexcept {
  const std::string& server = connection_name(connection);
  if (server.empty()) return 0;
  ::SSL_SESSION_up_ref(ticket);
  try {
    of(::SSL_get_SSL_CTX(connection)).tickets_.add(server, ticket_store::ticket(ticket));
    // NOLINTNEXTLINE(bugprone-empty-catch): without memory, the next connection does the whole handshake
  } catch (const std::bad_alloc&) {
  }
  return 0;  // OpenSSL keeps its own reference
}

void context_core::finish_resumption(SSL* connection) noexcept {
  if (server_ || ::SSL_session_reused(connection) != 1 || ::SSL_version(connection) >= TLS1_3_VERSION) return;
  (void)keep_ticket(connection, ::SSL_get_session(connection));
}

}  // namespace tare::net::tls
