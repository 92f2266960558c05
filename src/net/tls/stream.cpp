#include "io/reactor.hpp"
#include "io/slot.hpp"
#include "net/tls/context.hpp"

#include <tare/net/byte_stream.hpp>
#include <tare/net/endpoint.hpp>
#include <tare/net/tls.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstring>
#include <new>
#include <utility>

namespace tare::net::tls {

static_assert(byte_stream<stream> && byte_stream<net::stream>);

using tare::detail::reactor;

namespace detail {

void free_session::operator()(ssl_st* session) const noexcept {
  // OpenSSL would spoil the ticket of a connection that ends without a farewell, a rule of older TLS.
  ::SSL_set_shutdown(session, ::SSL_get_shutdown(session) | SSL_SENT_SHUTDOWN);
  ::SSL_free(session);
}

}  // namespace detail

namespace {

std::unexpected<std::error_code> closed() noexcept {
  return std::unexpected(std::make_error_code(std::errc::bad_file_descriptor));
}

/// A buffer of the shard's while it is being filled.
class borrowed_buffer {
 public:
  borrowed_buffer() noexcept : buffer_(reactor::if_any()->buffers().take()) {}
  ~borrowed_buffer() {
    if (buffer_ != nullptr) reactor::if_any()->buffers().give_back(buffer_);
  }
  borrowed_buffer(const borrowed_buffer&) = delete;
  borrowed_buffer& operator=(const borrowed_buffer&) = delete;

  [[nodiscard]] std::byte* get() const noexcept { return buffer_; }
  [[nodiscard]] std::byte* release() noexcept { return std::exchange(buffer_, nullptr); }

 private:
  std::byte* buffer_;
};

/// 1, and how much was read; or the status that SSL_get_error wants.
int read_into(SSL* session, std::byte* into, std::size_t size, std::size_t& got) noexcept {
  ::ERR_clear_error();
  return ::SSL_read_ex(session, into, size, &got);
}

}  // namespace

stream::stream(net::stream below, ssl_st* session) noexcept : below_(std::move(below)), session_(session) {}

task<result<stream>> stream::connect(net::stream below, context with, std::string host) {
  if (!below.is_open()) co_return closed();
  SSL* const session = ::SSL_new(with.shared_.get());
  if (session == nullptr) co_return openssl_error();
  stream made(std::move(below), session);
  BIO* const bio = make_bio(made.below_.slot_);
  ::SSL_set_bio(session, bio, bio);
  if (endpoint::parse_address(host, 0)) {
    ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(session), host.c_str());
  } else {
    if (::SSL_set1_host(session, host.c_str()) != 1 || SSL_set_tlsext_host_name(session, host.c_str()) != 1) {
      co_return openssl_error();
    }
    context_core::of(with.shared_.get()).offer_ticket(session, host);
  }
  ::SSL_set_connect_state(session);
  if (auto agreed = co_await made.handshake(); !agreed) co_return std::unexpected(agreed.error());
  co_return std::move(made);
}

task<result<stream>> stream::accept(net::stream below, context with) {
  if (!below.is_open()) co_return closed();
  SSL* const session = ::SSL_new(with.shared_.get());
  if (session == nullptr) co_return openssl_error();
  stream made(std::move(below), session);
  BIO* const bio = make_bio(made.below_.slot_);
  ::SSL_set_bio(session, bio, bio);
  ::SSL_set_accept_state(session);
  if (auto agreed = co_await made.handshake(); !agreed) co_return std::unexpected(agreed.error());
  co_return std::move(made);
}

// What OpenSSL says of a failure is asked for at once: the next await may let another task use its queue of errors.
result<stream::wanted> stream::wanted_after(int status) noexcept {
  switch (::SSL_get_error(session_.get(), status)) {
    case SSL_ERROR_WANT_READ:
      return wanted::readable;
    case SSL_ERROR_WANT_WRITE:
      return wanted::writable;
    case SSL_ERROR_ZERO_RETURN:
      return wanted::nothing;
    default: {
      const long verified = ::SSL_get_verify_result(session_.get());
      if (!::SSL_is_init_finished(session_.get()) && verified != X509_V_OK) {
        ::ERR_clear_error();
        return std::unexpected(std::error_code(static_cast<int>(verified), certificate_category()));
      }
      return openssl_error();
    }
  }
}

task<result<void>> stream::handshake() {
  for (;;) {
    ::ERR_clear_error();
    const int status = ::SSL_do_handshake(session_.get());
    if (status == 1) co_return result<void>();
    const auto next = wanted_after(status);
    if (!next) co_return std::unexpected(next.error());
    const result<void> waited = *next == wanted::readable ? co_await below_.readable() : co_await below_.writable();
    if (!waited) co_return waited;
  }
}

task<result<std::size_t>> stream::read(std::span<std::byte> into) {
  if (into.empty()) co_return std::size_t{0};
  for (;;) {
    if (!session_) co_return closed();
    std::size_t got = 0;
    const int status = read_into(session_.get(), into.data(), into.size(), got);
    if (status == 1) co_return got;
    const auto next = wanted_after(status);
    if (!next) co_return std::unexpected(next.error());
    if (*next == wanted::nothing) co_return std::size_t{0};
    const result<void> waited = *next == wanted::readable ? co_await below_.readable() : co_await below_.writable();
    if (!waited) co_return std::unexpected(waited.error());
  }
}

result<lease> stream::read_now(wanted& next) noexcept {
  next = wanted::nothing;
  if (!session_) return closed();
  borrowed_buffer buffer;
  if (buffer.get() == nullptr) return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
  std::size_t got = 0;
  const int status = read_into(session_.get(), buffer.get(), tare::detail::buffer_pool::buffer_bytes, got);
  if (status == 1) return lease(buffer.release(), got);
  const auto after = wanted_after(status);
  if (!after) return std::unexpected(after.error());
  next = *after;
  return lease();
}

task<result<lease>> stream::read() {
  for (;;) {
    wanted next{};
    if (auto got = read_now(next); next == wanted::nothing) co_return got;
    const result<void> waited = next == wanted::readable ? co_await below_.readable() : co_await below_.writable();
    if (!waited) co_return std::unexpected(waited.error());
  }
}

task<result<void>> stream::readable() {
  if (!session_) co_return closed();
  // OpenSSL may have read more than it has given, and part of a record does not count.
  std::byte next{};
  std::size_t there = 0;
  ::ERR_clear_error();
  const int status = ::SSL_peek_ex(session_.get(), &next, 1, &there);
  if (status == 1 || ::SSL_get_error(session_.get(), status) != SSL_ERROR_WANT_READ) {
    ::ERR_clear_error();  // it is said again by the read
    co_return result<void>();
  }
  co_return co_await below_.readable();
}

result<lease> stream::try_read() noexcept {
  wanted next{};
  auto got = read_now(next);
  if (next != wanted::nothing) return std::unexpected(std::make_error_code(std::errc::operation_would_block));
  return got;
}

result<std::size_t> stream::write_now(std::span<const std::byte> bytes, wanted& next) noexcept {
  next = wanted::nothing;
  if (!session_) return closed();
  ::ERR_clear_error();
  std::size_t written = 0;
  const int status = ::SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &written);
  if (status == 1) return written;
  const auto after = wanted_after(status);
  if (!after) return std::unexpected(after.error());
  if (*after == wanted::nothing) return std::unexpected(std::make_error_code(std::errc::broken_pipe));
  next = *after;
  return std::size_t{0};
}

result<std::size_t> stream::try_write(std::span<const std::byte> bytes) noexcept {
  if (session_ && bytes.empty()) return std::size_t{0};
  wanted next{};
  auto written = write_now(bytes, next);
  if (next != wanted::nothing) return std::unexpected(std::make_error_code(std::errc::operation_would_block));
  return written;
}

task<result<void>> stream::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    wanted next{};
    const auto written = write_now(bytes, next);
    if (!written) co_return std::unexpected(written.error());
    if (next == wanted::nothing) {
      bytes = bytes.subspan(*written);
      continue;
    }
    const result<void> waited = next == wanted::readable ? co_await below_.readable() : co_await below_.writable();
    if (!waited) co_return waited;
  }
  co_return result<void>();
}

task<result<void>> stream::write(std::span<const std::span<const std::byte>> pieces) {
  if (!session_) co_return closed();
  lease gathered;
  std::size_t size = 0;
  for (const auto piece : pieces) size += piece.size();
  if (size <= tare::detail::buffer_pool::buffer_bytes && pieces.size() > 1) {
    borrowed_buffer buffer;
    if (buffer.get() == nullptr) co_return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
    std::byte* at = buffer.get();
    for (const auto piece : pieces) {
      if (!piece.empty()) std::memcpy(at, piece.data(), piece.size());
      at += piece.size();
    }
    gathered = lease(buffer.release(), size);
    co_return co_await write(gathered.bytes());
  }
  for (const auto piece : pieces) {
    if (auto written = co_await write(piece); !written) co_return written;
  }
  co_return result<void>();
}

result<void> stream::shutdown_write() noexcept {
  if (!session_) return closed();
  ::ERR_clear_error();
  const int status = ::SSL_shutdown(session_.get());
  if (status < 0) {
    switch (::SSL_get_error(session_.get(), status)) {
      case SSL_ERROR_WANT_READ:
        break;
      case SSL_ERROR_WANT_WRITE:
        return std::unexpected(std::make_error_code(std::errc::operation_would_block));
      default:
        return openssl_error();
    }
  }
  return below_.shutdown_write();
}

std::string_view stream::alpn() const noexcept {
  if (!session_) return {};
  const unsigned char* name = nullptr;
  unsigned size = 0;
  ::SSL_get0_alpn_selected(session_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string_view stream::server_name() const noexcept {
  const char* const name = session_ ? ::SSL_get_servername(session_.get(), TLSEXT_NAMETYPE_host_name) : nullptr;
  return name == nullptr ? std::string_view() : std::string_view(name);
}

std::string_view stream::version() const noexcept {
  return session_ ? std::string_view(::SSL_get_version(session_.get())) : std::string_view();
}

bool stream::resumed() const noexcept { return session_ && ::SSL_session_reused(session_.get()) == 1; }

}  // namespace tare::net::tls
