#include "net/tls/context.hpp"

#include "net/tls/session.hpp"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <utility>

namespace tare::net::tls {

namespace {

class openssl_errors final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "tls"; }
  [[nodiscard]] std::string message(int error) const override {
    std::array<char, 256> text{};
    ::ERR_error_string_n(static_cast<unsigned>(error), text.data(), text.size());
    return text.data();
  }
  [[nodiscard]] std::error_condition default_error_condition(int error) const noexcept override {
    if (ERR_GET_REASON(static_cast<unsigned>(error)) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
      return std::errc::connection_aborted;
    }
    return {error, *this};
  }
};

class certificate_errors final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "certificate"; }
  [[nodiscard]] std::string message(int error) const override { return ::X509_verify_cert_error_string(error); }
};

/// Each protocol after its length, as OpenSSL wants them.
std::vector<unsigned char> packed(const std::vector<std::string>& protocols) {
  std::vector<unsigned char> all;
  for (const std::string& each : protocols) {
    all.push_back(static_cast<unsigned char>(each.size()));
    all.insert(all.end(), each.begin(), each.end());
  }
  return all;
}

}  // namespace

const std::error_category& tls_category() noexcept {
  static const openssl_errors category;
  return category;
}

const std::error_category& certificate_category() noexcept {
  static const certificate_errors category;
  return category;
}

std::unexpected<std::error_code> error_of(unsigned long packed) noexcept {
  if (packed == 0) return std::unexpected(std::make_error_code(std::errc::connection_reset));
  if (ERR_SYSTEM_ERROR(packed)) {
    return std::unexpected(std::error_code(static_cast<int>(ERR_GET_REASON(packed)), std::generic_category()));
  }
  return std::unexpected(std::error_code(static_cast<int>(packed), tls_category()));
}

std::unexpected<std::error_code> openssl_error() noexcept {
  const unsigned long first = ::ERR_get_error();
  ::ERR_clear_error();
  return error_of(first);
}

namespace {

/// What OpenSSL has found wrong with the file.
std::unexpected<context_error> error_about(const std::string& file) {
  return std::unexpected(context_error(openssl_error().error(), file));
}

/// Where OpenSSL's contexts keep ours.
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
  SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
  ::SSL_CTX_set_options(context_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context_,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // One call for a whole record, not one for its head and one for the rest.
  SSL_CTX_set_read_ahead(context_, 1);
  session::watch(context_);
  if (server_) {
    // Tickets hold all of a session, so nothing of it is kept here.
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
    constexpr std::array<unsigned char, 4> name{'t', 'a', 'r', 'e'};
    ::SSL_CTX_set_session_id_context(context_, name.data(), name.size());
  } else {
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    ::SSL_CTX_sess_set_new_cb(context_, &context_core::keep_ticket);
  }
}

std::expected<void, context_error> context_core::use_certificate(const std::string& chain, const std::string& key) {
  if (::SSL_CTX_use_certificate_chain_file(context_, chain.c_str()) != 1) return error_about(chain);
  if (::SSL_CTX_use_PrivateKey_file(context_, key.c_str(), SSL_FILETYPE_PEM) != 1) return error_about(key);
  if (::SSL_CTX_check_private_key(context_) != 1) return error_about(key);
  return {};
}

void context_core::set_alpn(const std::vector<std::string>& protocols) {
  if (protocols.empty()) return;
  alpn_ = packed(protocols);
  if (server_) {
    ::SSL_CTX_set_alpn_select_cb(context_, &context_core::choose_alpn, this);
  } else {
    ::SSL_CTX_set_alpn_protos(context_, alpn_.data(), static_cast<unsigned>(alpn_.size()));
  }
}

int context_core::choose_alpn(SSL* /*session*/, const unsigned char** chosen, unsigned char* size,
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

void context_core::offer_ticket(SSL* session, const std::string& host) {
  const std::scoped_lock guard(lock_);
  if (const auto known = tickets_.find(host); known != tickets_.end()) ::SSL_set_session(session, known->second.get());
}

int context_core::keep_ticket(SSL* session, SSL_SESSION* ticket) noexcept {
  context_core& self = of(::SSL_get_SSL_CTX(session));
  const char* const host = ::SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
  if (host == nullptr) return 0;
  try {
    const std::scoped_lock guard(self.lock_);
    if (self.tickets_.size() >= most_tickets && !self.tickets_.contains(host))
      self.tickets_.erase(self.tickets_.begin());
    self.tickets_[host].reset(ticket);
    return 1;  // it is ours now
  } catch (...) {
    return 0;  // without memory, the next connection does the whole handshake
  }
}

std::expected<context, context_error> context::client(const client_options& options) {
  auto made = context_core::make(::TLS_client_method(), false);
  if (!made) return std::unexpected(context_error(made.error()));
  SSL_CTX* const raw = made->get();
  context_core& core = context_core::of(raw);
  if (options.verify) {
    ::SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
    const int loaded = options.authorities.empty() ? ::SSL_CTX_set_default_verify_paths(raw)
                                                   : ::SSL_CTX_load_verify_file(raw, options.authorities.c_str());
    if (loaded != 1) return error_about(options.authorities);
  }
  if (!options.certificate.empty()) {
    if (auto used = core.use_certificate(options.certificate, options.key); !used) return std::unexpected(used.error());
  }
  if (options.kernel_tls) ::SSL_CTX_set_options(raw, SSL_OP_ENABLE_KTLS);
  core.set_alpn(options.alpn);
  return context(std::move(*made));
}

std::expected<context, context_error> context::server(const server_options& options) {
  auto made = context_core::make(::TLS_server_method(), true);
  if (!made) return std::unexpected(context_error(made.error()));
  SSL_CTX* const raw = made->get();
  context_core& core = context_core::of(raw);
  if (auto used = core.use_certificate(options.certificate, options.key); !used) return std::unexpected(used.error());
  if (!options.client_authorities.empty()) {
    ::SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    if (::SSL_CTX_load_verify_file(raw, options.client_authorities.c_str()) != 1) {
      return error_about(options.client_authorities);
    }
  }
  if (options.kernel_tls) ::SSL_CTX_set_options(raw, SSL_OP_ENABLE_KTLS);
  core.set_alpn(options.alpn);
  return context(std::move(*made));
}

}  // namespace tare::net::tls
