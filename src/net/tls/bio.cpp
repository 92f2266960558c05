// OpenSSL's way to the socket: its own socket BIO, except that reading and writing go through the slot, which keeps the
// books on readiness, and that a broken pipe is an error instead of a signal. When the kernel does TLS, the socket BIO
// does all of it: it knows how to send and read records' types.

#include "io/sigpipe_guard.hpp"
#include "net/tls/context.hpp"
#include "net/tls/socket_calls.hpp"

#include <openssl/err.h>

#include <new>
#include <span>

namespace tare::net::tls {

namespace {

using tare::detail::from_link;
using tare::detail::io_slot;
using tare::detail::link;

// The field for a callback's argument is free, as there is no callback; the one for data is the socket BIO's.
io_slot& slot_of(BIO* bio) noexcept { return *reinterpret_cast<io_slot*>(::BIO_get_callback_arg(bio)); }

/// What a call on the slot gave, in OpenSSL's terms.
int in_terms_of_openssl(BIO* bio, const result<std::size_t>& moved, bool reads) noexcept {
  if (moved) return static_cast<int>(*moved);
  if (moved.error() != std::errc::operation_would_block) {
    ERR_raise(ERR_LIB_SYS, moved.error().value());
  } else if (reads) {
    ::BIO_set_retry_read(bio);
  } else {
    ::BIO_set_retry_write(bio);
  }
  return -1;
}

/// The socket BIO's own answer; if it has to wait, so has the slot.
int passed_on(BIO* bio, int moved, std::uint16_t direction) noexcept {
  if (moved <= 0 && ::BIO_should_retry(bio)) slot_of(bio).clear(direction);
  return moved;
}

int read(BIO* bio, char* into, int size) noexcept {
  ::BIO_clear_retry_flags(bio);
  if (BIO_get_ktls_recv(bio)) {
    return passed_on(bio, ::BIO_meth_get_read(::BIO_s_socket())(bio, into, size), tare::detail::io_readable);
  }
  const auto space = std::as_writable_bytes(std::span(into, static_cast<std::size_t>(size)));
  const int got = in_terms_of_openssl(bio, read_some(slot_of(bio), space), true);
  if (got == 0) ::BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return got;
}

int write(BIO* bio, const char* bytes, int size) noexcept {
  ::BIO_clear_retry_flags(bio);
  if (BIO_get_ktls_send(bio)) {
    const tare::detail::sigpipe_guard guard;
    return passed_on(bio, ::BIO_meth_get_write(::BIO_s_socket())(bio, bytes, size), tare::detail::io_writable);
  }
  const auto all = std::as_bytes(std::span(bytes, static_cast<std::size_t>(size)));
  return in_terms_of_openssl(bio, write_some(slot_of(bio), all), false);
}

/// One for the process; never freed, as OpenSSL's own.
BIO_METHOD* method() {
  static BIO_METHOD* const made = [] {
    BIO_METHOD* const ours = ::BIO_meth_new(BIO_TYPE_SOCKET, "tare stream");
    if (ours == nullptr) throw std::bad_alloc();
    const BIO_METHOD* const sockets = ::BIO_s_socket();
    ::BIO_meth_set_create(ours, ::BIO_meth_get_create(sockets));
    ::BIO_meth_set_destroy(ours, ::BIO_meth_get_destroy(sockets));
    ::BIO_meth_set_ctrl(ours, ::BIO_meth_get_ctrl(sockets));
    ::BIO_meth_set_read(ours, &read);
    ::BIO_meth_set_write(ours, &write);
    return ours;
  }();
  return made;
}

}  // namespace

BIO* make_bio(link slot) {
  BIO* const made = ::BIO_new(method());
  if (made == nullptr) throw std::bad_alloc();
  BIO_set_fd(made, from_link<io_slot>(slot)->fd, BIO_NOCLOSE);
  ::BIO_set_callback_arg(made, reinterpret_cast<char*>(from_link<io_slot>(slot)));
  return made;
}

}  // namespace tare::net::tls
