#include "net/tls/session.hpp"

#include "net/tls/context.hpp"

#include <tare/detail/frame_memory.hpp>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

namespace tare::net::tls {

namespace {

/// Where OpenSSL's connections keep ours.
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

struct session::names {
  std::uint8_t alpn_bytes;
  std::uint8_t server_bytes;

  [[nodiscard]] char* text() noexcept { return reinterpret_cast<char*>(this + 1); }
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
  BIO* const bio = make_bio(slot);
  ::SSL_set_bio(made, bio, bio);
  if (server) {
    ::SSL_set_accept_state(made);
  } else {
    ::SSL_set_connect_state(made);
  }
  return owner;
}

session::~session() {
  free_openssl();
  if (names_ != tare::detail::no_link) tare::detail::free_record(tare::detail::from_link<names>(names_));
}

void session::free_openssl() noexcept {
  if (openssl_ == nullptr) return;
  // OpenSSL would spoil the ticket of a connection that ends without a farewell, a rule of older TLS.
  ::SSL_set_shutdown(openssl_, ::SSL_get_shutdown(openssl_) | SSL_SENT_SHUTDOWN);
  ::SSL_free(std::exchange(openssl_, nullptr));
}

// "CLIENT_TRAFFIC_SECRET_0 <the client's random number> <the secret>", both numbers in hexadecimal.
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
  traffic_keys& keys = outgoing != 0 ? self.records_.sending() : self.records_.receiving();
  // Told of encrypted records, and only of these.
  if (type == SSL3_RT_INNER_CONTENT_TYPE) keys.count_record();
  if (type != SSL3_RT_HANDSHAKE || size == 0) return;
  const auto message = *static_cast<const unsigned char*>(bytes);
  // A message is told of after the record that it ends in. The next one has the keys of the connection proper.
  if (message == SSL3_MT_FINISHED) keys.set_sequence(0);
  if (message == SSL3_MT_KEY_UPDATE) self.stays_ = true;
}

bool session::can_let_go() const noexcept {
  return !stays_ && !is_writing_ && (records_.is_server() || has_read_) && ::SSL_is_init_finished(openssl_) == 1 &&
         ::SSL_version(openssl_) == TLS1_3_VERSION && at_record_boundary() && ::SSL_get_shutdown(openssl_) == 0 &&
         !BIO_get_ktls_recv(::SSL_get_rbio(openssl_)) && !BIO_get_ktls_send(::SSL_get_wbio(openssl_));
}

void session::let_go_if_idle() noexcept {
  if (!can_let_go()) return;
  const cipher_suite suite = suite_of(::SSL_CIPHER_get_protocol_id(::SSL_get_current_cipher(openssl_)));
  if (!records_.start(suite) || !keep_names()) {
    ::ERR_clear_error();
    stays_ = true;
    return;
  }
  is_resumed_ = ::SSL_session_reused(openssl_) == 1;
  free_openssl();
}

bool session::keep_names() noexcept {
  const std::string_view protocol = alpn();
  const std::string_view host = server_name();
  if (protocol.empty() && host.empty()) return true;
  try {
    void* const memory = tare::detail::allocate_record(sizeof(names) + protocol.size() + host.size());
    auto* const kept = new (memory) names{.alpn_bytes = static_cast<std::uint8_t>(protocol.size()),
                                          .server_bytes = static_cast<std::uint8_t>(host.size())};
    std::ranges::copy(protocol, kept->text());
    std::ranges::copy(host, kept->text() + protocol.size());
    names_ = tare::detail::to_link(kept);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

std::string_view session::alpn() const noexcept {
  if (openssl_ == nullptr) {
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
  if (openssl_ == nullptr) {
    if (names_ == tare::detail::no_link) return {};
    auto* const kept = tare::detail::from_link<names>(names_);
    return {kept->text() + kept->alpn_bytes, kept->server_bytes};
  }
  const char* const name = ::SSL_get_servername(openssl_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::string_view() : std::string_view(name);
}

std::string_view session::version() const noexcept {
  return openssl_ == nullptr ? std::string_view("TLSv1.3") : std::string_view(::SSL_get_version(openssl_));
}

bool session::resumed() const noexcept {
  return openssl_ == nullptr ? is_resumed_ : ::SSL_session_reused(openssl_) == 1;
}

// What OpenSSL says of a failure is asked for at once: the next await may let another task use its queue of errors.
result<wanted> session::wanted_after(int status) noexcept {
  switch (::SSL_get_error(openssl_, status)) {
    case SSL_ERROR_WANT_READ:
      return wanted::readable;
    case SSL_ERROR_WANT_WRITE:
      return wanted::writable;
    case SSL_ERROR_ZERO_RETURN:
      return wanted::nothing;
    default: {
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
  next = wanted::nothing;
  ::ERR_clear_error();
  const int status = ::SSL_do_handshake(openssl_);
  if (status == 1) return {};
  const auto lacking = wanted_after(status);
  if (!lacking) return std::unexpected(lacking.error());
  next = *lacking;
  return {};
}

void session::peek(wanted& next) noexcept {
  next = wanted::nothing;
  if (openssl_ == nullptr) {
    (void)records_.available(next);
    return;
  }
  // OpenSSL may have read more than it has given, and part of a record does not count.
  std::byte first{};
  std::size_t there = 0;
  ::ERR_clear_error();
  const int status = ::SSL_peek_ex(openssl_, &first, 1, &there);
  if (status != 1 && ::SSL_get_error(openssl_, status) == SSL_ERROR_WANT_READ) {
    next = wanted::readable;
    let_go_if_idle();
  }
  ::ERR_clear_error();  // it is said again by the read
}

bool session::at_record_boundary() const noexcept {
  if (openssl_ == nullptr) return records_.at_record_boundary();
  // With no more than a record's header read, nothing is pending; the state of its reader tells.
  return ::SSL_has_pending(openssl_) == 0 && std::string_view(::SSL_rstate_string(openssl_)) == "RH";
}

result<std::size_t> session::read(std::span<std::byte> into, wanted& next) noexcept {
  next = wanted::nothing;
  if (openssl_ == nullptr) {
    const auto there = records_.available(next);
    if (!there || *there == 0) return there;
    return records_.take(into);
  }
  ::ERR_clear_error();
  std::size_t got = 0;
  const int status = ::SSL_read_ex(openssl_, into.data(), into.size(), &got);
  if (status == 1) {
    has_read_ = true;
    return got;
  }
  const auto lacking = wanted_after(status);
  if (!lacking) return std::unexpected(lacking.error());
  next = *lacking;
  if (next == wanted::readable) let_go_if_idle();
  return std::size_t{0};
}

result<std::size_t> session::write(std::span<const std::byte> bytes, wanted& next) noexcept {
  if (openssl_ == nullptr) return records_.write(bytes, next);
  next = wanted::nothing;
  ::ERR_clear_error();
  std::size_t written = 0;
  const int status = ::SSL_write_ex(openssl_, bytes.data(), bytes.size(), &written);
  is_writing_ = status != 1;
  if (status == 1) return written;
  const auto lacking = wanted_after(status);
  if (!lacking) return std::unexpected(lacking.error());
  if (*lacking == wanted::nothing) return std::unexpected(std::make_error_code(std::errc::broken_pipe));
  next = *lacking;
  return std::size_t{0};
}

result<void> session::farewell(wanted& next) noexcept {
  if (openssl_ == nullptr) return records_.farewell(next);
  next = wanted::nothing;
  ::ERR_clear_error();
  const int status = ::SSL_shutdown(openssl_);
  if (status >= 0) return {};
  switch (::SSL_get_error(openssl_, status)) {
    case SSL_ERROR_WANT_READ:
      return {};
    case SSL_ERROR_WANT_WRITE:
      next = wanted::writable;
      return {};
    default:
      return openssl_error();
  }
}

}  // namespace tare::net::tls
