#include "net/tls/ticket_reader.hpp"

#include "net/tls/record_bio.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <utility>

namespace tare::net::tls {

void free_openssl(SSL*& openssl) noexcept {
  if (openssl == nullptr) return;
  // A rule of older TLS versions makes OpenSSL invalidate the session if the connection ends without close_notify.
  ::SSL_set_shutdown(openssl, ::SSL_get_shutdown(openssl) | SSL_SENT_SHUTDOWN);
  ::SSL_free(std::exchange(openssl, nullptr));
}

void ticket_reader::keep(std::span<const std::byte> sealed) noexcept {
  if (openssl_ == nullptr || *openssl_ == nullptr) return;
  sealed_ = record_buffer::make(sealed.size());
  if (sealed_ == nullptr) {
    free_openssl(*openssl_);  // without memory, the next connection does the whole handshake
    return;
  }
  std::ranges::copy(sealed, sealed_->space().begin());
  sealed_->add(sealed.size());
}

bool ticket_reader::pass(bool holds_tickets) noexcept {
  const record_buffer::owner sealed = std::move(sealed_);
  if (openssl_ == nullptr || *openssl_ == nullptr) return true;
  if (!holds_tickets) {
    free_openssl(*openssl_);
    return true;
  }
  record_bio& bio = record_bio::of(*openssl_);
  bio.feed(sealed->bytes());
  std::byte none{};
  std::size_t size = 0;
  ::ERR_clear_error();
  const int status = ::SSL_peek_ex(*openssl_, &none, 1, &size);
  const bool is_read = status != 1 && ::SSL_get_error(*openssl_, status) == SSL_ERROR_WANT_READ;
  ::ERR_clear_error();
  bio.feed({});
  if (!is_read) free_openssl(*openssl_);
  return is_read;
}

}  // namespace tare::net::tls
