#include "net/tls/session.hpp"

#include "net/tls/connection_name.hpp"
#include "net/tls/context.hpp"
#include "net/tls/extensions.hpp"
#include "net/tls/record_bio.hpp"
#include "net/tls/ticket_reader.hpp"

#include <tare/detail/frame_memory.hpp>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace tare::net::tls {

namespace {

/// The index of our session in OpenSSL's connections.
int place_of_session() noexcept {
  static const int index = ::SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

namespace detail {

void free_session::operator()(session* freed) const noexcept {
  freed->~session();
  tare::detail::free_record(freed);
}

}  // namespace detail

/// In memory that OpenSSL has allocated.
struct session::kept_certificate {
  unsigned char* der = nullptr;
  std::size_t bytes = 0;
};

struct session::names {
  std::uint8_t alpn_bytes;
  std::uint8_t server_bytes;

  [[nodiscard]] char* text() noexcept { return reinterpret_cast<char*>(this + 1); }
  [[nodiscard]] char* after_text() noexcept { return text() + alpn_bytes + server_bytes; }
  [[nodiscard]] kept_certificate peer() noexcept {
    kept_certificate there;
    std::memcpy(&there, after_text(), sizeof(there));
    return there;
  }
};

session& session::of(const SSL* openssl) noexcept {
  return *static_cast<session*>(::SSL_get_ex_data(openssl, place_of_session()));
}

void session::watch(SSL_CTX* context) noexcept {
  ::SSL_CTX_set_keylog_callback(context, &session::on_secret);
  ::SSL_CTX_set_msg_callback(context, &session::on_message);
}

result<detail::session_owner> session::make(SSL_CTX* context, tare::detail::link slot, bool server) {
  detail::session_owner owner(new (tare::detail::allocate_record(sizeof(session))) session(slot, server));
  SSL* const made = owner->openssl_ = ::SSL_new(context);
  if (made == nullptr || ::SSL_set_ex_data(made, place_of_session(), owner.get()) != 1) return openssl_error();
  BIO* const bio = record_bio::make(slot, (::SSL_get_options(made) & SSL_OP_ENABLE_KTLS) != 0);
  ::SSL_set_bio(made, bio, bio);
  if (server) {
    ::SSL_set_accept_state(made);
  } else {
    ::SSL_set_connect_state(made);
  }
  return owner;
}

session::~session() {
  free_openssl(openssl_);
  if (names_ == tare::detail::no_link) return;
  auto* const kept = tare::detail::from_link<names>(names_);
  if (has_certificate_) OPENSSL_free(kept->peer().der);
  tare::detail::free_record(kept);
}

// The line is "CLIENT_TRAFFIC_SECRET_0 <the client's random number> <the secret>", both numbers in hexadecimal.
void session::on_secret(const SSL* of_connection, const char* line) noexcept {
  session& self = of(of_connection);
  const std::string_view text(line);
  const bool is_clients = text.starts_with("CLIENT_TRAFFIC_SECRET_0 ");
  if (!is_clients && !text.starts_with("SERVER_TRAFFIC_SECRET_0 ")) return;
  std::array<unsigned char, EVP_MAX_MD_SIZE> secret{};
  std::size_t size = 0;
  const char* const number = line + text.rfind(' ') + 1;
  if (::OPENSSL_hexstr2buf_ex(secret.data(), secret.size(), &size, number, '\0') != 1) size = 0;
  traffic_keys& keys = is_clients == self.records_.is_server() ? self.records_.receiving() : self.records_.sending();
  if (size == 0 || !keys.set_secret(std::span(secret).first(size))) self.stays_ = true;
  ::OPENSSL_cleanse(secret.data(), secret.size());
}

void session::on_message(int outgoing, int /*version*/, int type, const void* bytes, std::size_t size,
                         SSL* of_connection, void* /*argument*/) noexcept {
  session& self = of(of_connection);
  if (self.is_handed_over_) return;  // the record layer counts
  traffic_keys& keys = outgoing != 0 ? self.records_.sending() : self.records_.receiving();
  // This type is reported for encrypted records, and only for them.
  if (type == SSL3_RT_INNER_CONTENT_TYPE) keys.count_record();
  if (type == SSL3_RT_ALERT && outgoing != 0) self.sent_alert_ = true;
  if (type != SSL3_RT_HANDSHAKE || size == 0) return;
  const std::span message(static_cast<const unsigned char*>(bytes), size);
  // A message is reported after the record that it ends in. The next record uses the keys of the connection proper.
  if (message[0] == SSL3_MT_FINISHED) keys.set_sequence(0);
  if (message[0] == SSL3_MT_ENCRYPTED_EXTENSIONS) self.knows_extensions_ = leave_records_alone(message);
}

bool session::can_hand_over() noexcept {
  const record_bio& bio = record_bio::of(openssl_);
  const std::uint32_t tickets = records_.is_server() ? bio.records_since_read() : 0;
  return !stays_ && knows_extensions_ && ::SSL_version(openssl_) == TLS1_3_VERSION && bio.is_at_boundary() &&
         records_.receiving().sequence() == 0 && records_.sending().sequence() == tickets &&
         ::SSL_get_shutdown(openssl_) == 0 && !BIO_get_ktls_recv(::SSL_get_rbio(openssl_)) &&
         !BIO_get_ktls_send(::SSL_get_wbio(openssl_));
}

void session::hand_over() noexcept {
  record_bio& bio = record_bio::of(openssl_);
  const cipher_suite suite = suite_of(::SSL_CIPHER_get_protocol_id(::SSL_get_current_cipher(openssl_)));
  if (!can_hand_over() || !records_.start(suite) || !keep_names()) {
    ::ERR_clear_error();
    bio.begin_stream();
    return;
  }
  is_resumed_ = ::SSL_session_reused(openssl_) == 1;
  is_handed_over_ = true;
  if (records_.is_server()) {
    free_openssl(openssl_);
  } else {
    bio.feed({});
  }
}

// If there is no certificate, `der` is null.
result<session::kept_certificate> session::copy_peer_certificate() const noexcept {
  kept_certificate made;
  X509* const peer = ::SSL_get0_peer_certificate(openssl_);
  if (peer == nullptr || !context_core::of(::SSL_get_SSL_CTX(openssl_)).keeps_peer_certificate()) return made;
  const int size = ::i2d_X509(peer, &made.der);
  if (size <= 0) return openssl_error();
  made.bytes = static_cast<std::size_t>(size);
  return made;
}

std::optional<certificate> session::peer_certificate() const {
  if (is_handed_over_) {
    if (!has_certificate_) return std::nullopt;
    const kept_certificate kept = tare::detail::from_link<names>(names_)->peer();
    return parse_certificate(std::as_bytes(std::span(kept.der, kept.bytes)));
  }
  const auto copy = copy_peer_certificate();
  if (!copy) throw std::bad_alloc();
  if (copy->der == nullptr) return std::nullopt;
  const std::unique_ptr<unsigned char, decltype([](unsigned char* freed) { OPENSSL_free(freed); })> owner(copy->der);
  return parse_certificate(std::as_bytes(std::span(copy->der, copy->bytes)));
}

bool session::keep_names() noexcept {
  const std::string_view protocol = alpn();
  const std::string_view host = server_name();
  const auto peer = copy_peer_certificate();
  if (!peer) return false;
  const bool has_peer = peer->der != nullptr;
  if (protocol.empty() && host.empty() && !has_peer) return true;
  try {
    const std::size_t peer_bytes = has_peer ? sizeof(kept_certificate) : 0;
    void* const memory = tare::detail::allocate_record(sizeof(names) + protocol.size() + host.size() + peer_bytes);
    auto* const kept = new (memory) names{.alpn_bytes = static_cast<std::uint8_t>(protocol.size()),
                                          .server_bytes = static_cast<std::uint8_t>(host.size())};
    std::ranges::copy(protocol, kept->text());
    std::ranges::copy(host, kept->text() + protocol.size());
    if (has_peer) std::memcpy(kept->after_text(), &*peer, sizeof(kept_certificate));
    has_certificate_ = has_peer;
    names_ = tare::detail::to_link(kept);
    return true;
  } catch (const std::bad_alloc&) {
    OPENSSL_free(peer->der);
    return false;
  }
}

std::size_t session::buffered_bytes() const noexcept {
  constexpr std::size_t openssl_buffer_bytes = 17'408;
  if (is_handed_over_) return records_.buffered_bytes();
  const record_buffer* const unsent = record_bio::of(openssl_).unsent();
  const std::size_t unsent_bytes = unsent == nullptr ? 0 : unsent->capacity();
  // "RH" means that it waits for the header of a record; then it has no buffer.
  return unsent_bytes + (std::string_view(::SSL_rstate_string(openssl_)) == "RH" ? 0 : openssl_buffer_bytes);
}

std::string_view session::alpn() const noexcept {
  if (is_handed_over_) {
    if (names_ == tare::detail::no_link) return {};
    auto* const kept = tare::detail::from_link<names>(names_);
    return {kept->text(), kept->alpn_bytes};
  }
  const unsigned char* name = nullptr;
  unsigned size = 0;
  ::SSL_get0_alpn_selected(openssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string_view session::server_name() const noexcept {
  if (is_handed_over_) {
    if (names_ == tare::detail::no_link) return {};
    auto* const kept = tare::detail::from_link<names>(names_);
    return {kept->text() + kept->alpn_bytes, kept->server_bytes};
  }
  // After a resumed TLS 1.2 handshake, OpenSSL would return the name of the original one.
  if (records_.is_server()) return connection_name(openssl_);
  const char* const name = ::SSL_get_servername(openssl_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::string_view() : std::string_view(name);
}

std::string_view session::version() const noexcept {
  return is_handed_over_ ? std::string_view("TLSv1.3") : std::string_view(::SSL_get_version(openssl_));
}

bool session::resumed() const noexcept { return is_handed_over_ ? is_resumed_ : ::SSL_session_reused(openssl_) == 1; }

// Reads OpenSSL's errors at once, because the next await may let another task use OpenSSL's error queue.
result<wanted> session::wanted_after(int status) noexcept {
  switch (::SSL_get_error(openssl_, status)) {
    case SSL_ERROR_WANT_READ:
      return wanted::readable;
    case SSL_ERROR_WANT_WRITE:
      return wanted::writable;
    case SSL_ERROR_ZERO_RETURN:
      return wanted::nothing;
    default: {
      has_failed_ = true;
      const long verified = ::SSL_get_verify_result(openssl_);
      if (!::SSL_is_init_finished(openssl_) && verified != X509_V_OK) {
        ::ERR_clear_error();
        return std::unexpected(std::error_code(static_cast<int>(verified), certificate_category()));
      }
      return openssl_error();
    }
  }
}

result<void> session::handshake(wanted& next) noexcept {
  record_bio& bio = record_bio::of(openssl_);
  if (auto sent = bio.flush(next); !sent || next != wanted::nothing) return sent;
  ::ERR_clear_error();
  const int status = ::SSL_do_handshake(openssl_);
  const result<wanted> lacking = status == 1 ? result<wanted>(wanted::nothing) : wanted_after(status);
  const result<void> sent = bio.flush(next);
  if (!lacking) return std::unexpected(lacking.error());
  if (!sent || next != wanted::nothing) return sent;
  next = *lacking;
  if (next != wanted::nothing) return {};
  // Any other result is not the end of a handshake, for example a close_notify, which OpenSSL reports as the end of the
  // connection.
  if (status != 1) return std::unexpected(std::make_error_code(std::errc::connection_aborted));
  auto checked = check_handshake();
  if (checked) context_core::of(::SSL_get_SSL_CTX(openssl_)).finish_resumption(openssl_);
  if (checked) hand_over();
  return checked;
}

result<void> session::check_handshake() const noexcept {
  if (::SSL_is_init_finished(openssl_) != 1) {
    return std::unexpected(std::make_error_code(std::errc::connection_aborted));
  }
  const int mode = ::SSL_get_verify_mode(openssl_);
  if ((mode & SSL_VERIFY_PEER) == 0) return {};
  long verified = ::SSL_get_verify_result(openssl_);
  const bool is_optional = records_.is_server() && (mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT) == 0;
  if (::SSL_get0_peer_certificate(openssl_) == nullptr && !is_optional) verified = X509_V_ERR_APPLICATION_VERIFICATION;
  if (verified == X509_V_OK) return {};
  return std::unexpected(std::error_code(static_cast<int>(verified), certificate_category()));
}

void session::peek(wanted& next) noexcept {
  next = wanted::nothing;
  if (is_handed_over_) {
    (void)records_.available(next, ticket_reader(openssl_));
    return;
  }
  if (has_failed_) return;
  // OpenSSL may have read more than it has returned, and part of a record does not count.
  std::byte first{};
  std::size_t there = 0;
  ::ERR_clear_error();
  const int status = ::SSL_peek_ex(openssl_, &first, 1, &there);
  if (status != 1) {
    const int error = ::SSL_get_error(openssl_, status);
    if (error == SSL_ERROR_WANT_READ) next = wanted::readable;
    if (error == SSL_ERROR_WANT_WRITE) next = wanted::writable;
  }
  ::ERR_clear_error();  // the read runs into it again
  wanted ignored{};
  (void)record_bio::of(openssl_).flush(ignored);
}

bool session::at_record_boundary() const noexcept {
  if (is_handed_over_) return records_.at_record_boundary();
  // If only the header of a record has been read, nothing is pending; the state of OpenSSL's reader tells.
  return ::SSL_has_pending(openssl_) == 0 && std::string_view(::SSL_rstate_string(openssl_)) == "RH";
}

result<std::size_t> session::read(std::span<std::byte> buffer, wanted& next) noexcept {
  next = wanted::nothing;
  if (is_handed_over_) {
    const auto there = records_.available(next, ticket_reader(openssl_));
    if (!there || *there == 0) return there;
    return records_.take(buffer);
  }
  ::ERR_clear_error();
  std::size_t got = 0;
  const int status = ::SSL_read_ex(openssl_, buffer.data(), buffer.size(), &got);
  const result<wanted> lacking = status == 1 ? result<wanted>(wanted::nothing) : wanted_after(status);
  wanted ignored{};
  (void)record_bio::of(openssl_).flush(ignored);  // alerts
  if (!lacking) return std::unexpected(lacking.error());
  next = *lacking;
  return got;
}

result<std::size_t> session::write(std::span<const std::byte> bytes, wanted& next) noexcept {
  if (is_handed_over_) return records_.write(bytes, next);
  record_bio& bio = record_bio::of(openssl_);
  if (auto sent = bio.flush(next); !sent) return std::unexpected(sent.error());
  if (next != wanted::nothing) return std::size_t{0};
  if ((::SSL_get_shutdown(openssl_) & SSL_SENT_SHUTDOWN) != 0) {
    return std::unexpected(std::make_error_code(std::errc::broken_pipe));
  }
  ::ERR_clear_error();
  std::size_t written = 0;
  const int status = ::SSL_write_ex(openssl_, bytes.data(), bytes.size(), &written);
  if (status == 1) {
    wanted ignored{};
    if (auto sent = bio.flush(ignored); !sent) return std::unexpected(sent.error());
    return written;
  }
  const auto lacking = wanted_after(status);
  if (!lacking) return std::unexpected(lacking.error());
  if (*lacking == wanted::nothing) return std::unexpected(std::make_error_code(std::errc::broken_pipe));
  next = *lacking;
  return std::size_t{0};
}

record_buffer* session::unsent() noexcept {
  return is_handed_over_ ? records_.unsent() : record_bio::of(openssl_).unsent();
}

result<void> session::flush(wanted& next) noexcept {
  return is_handed_over_ ? records_.flush(next) : record_bio::of(openssl_).flush(next);
}

result<void> session::send_close_notify(wanted& next) noexcept {
  if (is_handed_over_) return records_.send_close_notify(next);
  next = wanted::nothing;
  if (has_failed_) return std::unexpected(std::make_error_code(std::errc::broken_pipe));
  // If called again, SSL_shutdown would wait for the other side's close_notify.
  if ((::SSL_get_shutdown(openssl_) & SSL_SENT_SHUTDOWN) == 0) {
    ::ERR_clear_error();
    if (::SSL_shutdown(openssl_) < 0) {
      has_failed_ = true;
      return openssl_error();
    }
  }
  return record_bio::of(openssl_).flush(next);
}

}  // namespace tare::net::tls
