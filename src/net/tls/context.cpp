#include "net/tls/context.hpp"

#include "net/tls/session.hpp"

#include <tare/sleep.hpp>

#include <openssl/err.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace tare::net::tls {

namespace {

/// Each protocol preceded by its length, the format that OpenSSL expects.
std::vector<unsigned char> packed(const std::vector<std::string>& protocols) {
  std::vector<unsigned char> all;
  for (const std::string& each : protocols) {
    all.push_back(static_cast<unsigned char>(each.size()));
    all.insert(all.end(), each.begin(), each.end());
  }
  return all;
}

/// The error that OpenSSL found in the file.
std::unexpected<context_error> error_about(const std::string& file) {
  return std::unexpected(context_error(openssl_error().error(), file));
}

/// The error for an invalid option.
std::unexpected<context_error> bad_option(const char* name) {
  return std::unexpected(context_error(std::make_error_code(std::errc::invalid_argument), name));
}

/// For TLS 1.2: only AEAD ciphers with forward secrecy, so no CBC.
constexpr const char* default_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/// The index of our data in OpenSSL's contexts.
int place_of_core() noexcept {
  static const int index =
      ::SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr,
                                 [](void* /*context*/, void* core, CRYPTO_EX_DATA* /*all*/, int /*index*/,
                                    long /*argument*/, void* /*pointer*/) { delete static_cast<context_core*>(core); });
  return index;
}

}  // namespace

result<std::shared_ptr<SSL_CTX>> context_core::make(const SSL_METHOD* method, bool server) {
  SSL_CTX* const made = ::SSL_CTX_new(method);
  if (made == nullptr) return openssl_error();
  std::shared_ptr<SSL_CTX> shared(made, &::SSL_CTX_free);
  std::unique_ptr<context_core> core(new context_core(made, server));  // its constructor is private
  if (::SSL_CTX_set_ex_data(made, place_of_core(), core.get()) != 1) return openssl_error();
  core.release()->set_up();
  return shared;
}

context_core& context_core::of(const SSL_CTX* context) noexcept {
  return *static_cast<context_core*>(::SSL_CTX_get_ex_data(context, place_of_core()));
}

void context_core::set_up() noexcept {
  ::SSL_CTX_set_options(context_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context_,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Reads a whole record with one call instead of two.
  SSL_CTX_set_read_ahead(context_, 1);
  session::watch(context_);
  if (server_) {
    ::SSL_CTX_set_options(context_, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    // The memory that a handshake is admitted with has no room for a larger message (client_hello.hpp).
    constexpr long max_certificates_bytes = 16L << 10U;
    SSL_CTX_set_max_cert_list(context_, max_certificates_bytes);
    // A ticket contains the whole session, so the server caches none.
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  } else {
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    ::SSL_CTX_sess_set_new_cb(context_, &context_core::keep_ticket);
  }
}

template <class Options>
context_core::done context_core::set_protection(const Options& options) {
  if (options.min_version > options.max_version) return bad_option("min_version");
  if (SSL_CTX_set_min_proto_version(context_, std::to_underlying(options.min_version)) != 1) {
    return error_about("min_version");
  }
  if (SSL_CTX_set_max_proto_version(context_, std::to_underlying(options.max_version)) != 1) {
    return error_about("max_version");
  }
  const char* const ciphers = options.ciphers.empty() ? default_ciphers : options.ciphers.c_str();
  if (::SSL_CTX_set_cipher_list(context_, ciphers) != 1) return error_about("ciphers");
  if (!options.suites.empty() && ::SSL_CTX_set_ciphersuites(context_, options.suites.c_str()) != 1) {
    return error_about("suites");
  }
  if (options.kernel_tls) ::SSL_CTX_set_options(context_, SSL_OP_ENABLE_KTLS);
  return {};
}

context_core::done context_core::set_certificate(const client_options& options) {
  if (options.certificate.empty()) return {};
  if (::SSL_CTX_use_certificate_chain_file(context_, options.certificate.c_str()) != 1) {
    return error_about(options.certificate);
  }
  if (::SSL_CTX_use_PrivateKey_file(context_, options.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return error_about(options.key);
  }
  if (::SSL_CTX_check_private_key(context_) != 1) return error_about(options.key);
  return {};
}

context_core::done context_core::set_certificates(const server_options& options) {
  refuses_unknown_names_ = options.refuse_unknown_names;
  if (auto added = certificates_.add({.certificate = options.certificate, .key = options.key}); !added) return added;
  for (const certificate_files& each : options.more_certificates) {
    if (auto added = certificates_.add(each); !added) return added;
  }
  if (!certificates_.use_default(context_)) return error_about(options.certificate);
  ::SSL_CTX_set_client_hello_cb(context_, &context_core::choose_certificate, this);
  return {};
}

context_core::done context_core::set_client_authorities(const server_options& options) {
  if (options.client_authorities.empty()) return {};
  const bool required = options.client_certificate == client_certificates::required;
  ::SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  if (::SSL_CTX_load_verify_file(context_, options.client_authorities.c_str()) != 1) {
    return error_about(options.client_authorities);
  }
  return {};
}

context_core::done context_core::set_alpn(const std::vector<std::string>& protocols) {
  if (protocols.empty()) return {};
  for (const std::string& each : protocols) {
    if (each.empty() || each.size() > 255) return bad_option("alpn");
  }
  alpn_ = packed(protocols);
  if (server_) {
    ::SSL_CTX_set_alpn_select_cb(context_, &context_core::choose_alpn, this);
  } else if (::SSL_CTX_set_alpn_protos(context_, alpn_.data(), static_cast<unsigned>(alpn_.size())) != 0) {
    return error_about("alpn");
  }
  return {};
}

int context_core::choose_alpn(SSL* /*connection*/, const unsigned char** chosen, unsigned char* size,
                              const unsigned char* offered, unsigned offered_size, void* self) noexcept {
  const auto& ours = static_cast<context_core*>(self)->alpn_;
  unsigned char* found = nullptr;
  if (::SSL_select_next_proto(&found, size, ours.data(), static_cast<unsigned>(ours.size()), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

std::expected<std::shared_ptr<SSL_CTX>, context_error> context_core::make(const client_options& options) {
  auto made = make(::TLS_client_method(), false);
  if (!made) return std::unexpected(context_error(made.error()));
  SSL_CTX* const raw = made->get();
  context_core& core = of(raw);
  core.keeps_peer_certificate_ = options.keep_server_certificate;
  if (options.verify) {
    ::SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
    const int loaded = options.authorities.empty() ? ::SSL_CTX_set_default_verify_paths(raw)
                                                   : ::SSL_CTX_load_verify_file(raw, options.authorities.c_str());
    if (loaded != 1) return error_about(options.authorities);
  }
  if (auto set = core.set_protection(options); !set) return std::unexpected(set.error());
  if (auto set = core.set_certificate(options); !set) return std::unexpected(set.error());
  if (auto set = core.set_alpn(options.alpn); !set) return std::unexpected(set.error());
  return std::move(*made);
}

std::expected<std::shared_ptr<SSL_CTX>, context_error> context_core::make(const server_options& options,
                                                                          std::shared_ptr<ticket_keys> keys) {
  auto made = make(::TLS_server_method(), true);
  if (!made) return std::unexpected(context_error(made.error()));
  context_core& core = of(made->get());
  core.keeps_peer_certificate_ = true;
  if (auto set = core.set_certificates(options); !set) return std::unexpected(set.error());
  if (auto set = core.set_client_authorities(options); !set) return std::unexpected(set.error());
  if (auto set = core.set_protection(options); !set) return std::unexpected(set.error());
  if (auto set = core.set_alpn(options.alpn); !set) return std::unexpected(set.error());
  if (auto set = core.set_tickets(options, std::move(keys)); !set) return std::unexpected(set.error());
  return std::move(*made);
}

// --- state shared by the copies of a context ------------------------------------------------------------------------

context_state::context_state(server_options options)
    : options_(std::move(options)),
      keys_(std::make_shared<ticket_keys>(std::get<server_options>(options_).ticket_key_period,
                                          std::get<server_options>(options_).ticket_lifetime)) {}

std::shared_ptr<SSL_CTX> context_state::current() const {
  const std::scoped_lock guard(lock_);
  return current_;
}

void context_state::replace(std::shared_ptr<SSL_CTX> owner, any_options options) {
  // The previous context is destroyed after the lock has been released.
  const std::scoped_lock guard(lock_);
  current_.swap(owner);
  std::swap(options_, options);
}

template <class Options>
std::expected<void, context_error> context_state::load(const Options& options) {
  const std::scoped_lock one_at_a_time(loading_);
  return load_locked(options);
}

template std::expected<void, context_error> context_state::load(const client_options& options);
template std::expected<void, context_error> context_state::load(const server_options& options);

std::expected<void, context_error> context_state::load_locked(const client_options& options) {
  auto made = context_core::make(options);
  if (!made) return std::unexpected(made.error());
  replace(std::move(*made), options);
  return {};
}

std::expected<void, context_error> context_state::load_locked(const server_options& options) {
  auto made = context_core::make(options, keys_);
  if (!made) return std::unexpected(made.error());
  keys_->set_times(options.ticket_key_period, options.ticket_lifetime);
  replace(std::move(*made), options);
  return {};
}

std::expected<void, context_error> context_state::reload() {
  // Otherwise, if another thread loads options in the meantime, the older options would replace them.
  const std::scoped_lock one_at_a_time(loading_);
  any_options options;
  {
    const std::scoped_lock guard(lock_);
    options = options_;
  }
  return std::visit([this](const auto& those) { return load_locked(those); }, options);
}

std::expected<context, context_error> context::client(const client_options& options) {
  auto state = std::make_shared<context_state>(options);
  if (auto loaded = state->load(options); !loaded) return std::unexpected(loaded.error());
  return context(std::move(state));
}

std::expected<context, context_error> context::server(const server_options& options) {
  auto state = std::make_shared<context_state>(options);
  if (auto loaded = state->load(options); !loaded) return std::unexpected(loaded.error());
  return context(std::move(state));
}

namespace {

[[noreturn]] void reject_options(const char* options) noexcept {
  std::fprintf(stderr,
               "tare: net::tls::context::reload was called with %s: pass the kind of options that the context was "
               "created with\n",
               options);
  std::abort();
}

}  // namespace

std::expected<void, context_error> context::reload() { return state_->reload(); }

std::expected<void, context_error> context::reload(const client_options& options) {
  if (state_->is_server()) reject_options("client_options for a server");
  return state_->load(options);
}

std::expected<void, context_error> context::reload(const server_options& options) {
  if (!state_->is_server()) reject_options("server_options for a client");
  return state_->load(options);
}

std::chrono::nanoseconds context::erase_old_ticket_keys() noexcept {
  constexpr std::chrono::nanoseconds without_tickets = std::chrono::hours(24);
  return state_->is_server() ? state_->keys()->erase_old(now()) : without_tickets;
}

}  // namespace tare::net::tls
