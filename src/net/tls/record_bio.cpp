// Works like OpenSSL's socket BIO, with two differences: reads and writes go through the slot, which records readiness,
// and a broken pipe is an error instead of a signal. If the kernel handles the records, the socket BIO does the
// reading, because it knows how to receive their types.

#include "net/tls/record_bio.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <new>

namespace tare::net::tls {

namespace {

using tare::detail::from_link;
using tare::detail::io_slot;
using tare::detail::link;

/// OpenSSL's internal commands that set the type of the next record that the kernel sends
/// (BIO_CTRL_SET_KTLS_TX_SEND_CTRL_MSG).
constexpr int set_kernel_type = 74;
constexpr int clear_kernel_type = 75;

}  // namespace

// The BIO has no callback, so its callback argument is free; its data field belongs to the socket BIO.
record_bio* record_bio::of(BIO* bio) noexcept { return reinterpret_cast<record_bio*>(::BIO_get_callback_arg(bio)); }

record_bio& record_bio::of(const SSL* openssl) noexcept { return *of(::SSL_get_rbio(openssl)); }

int record_bio::read(BIO* bio, char* buffer, int size) noexcept {
  ::BIO_clear_retry_flags(bio);
  record_bio& self = *of(bio);
  if (size <= 0) return 0;
  if (BIO_get_ktls_recv(bio)) {
    const int got = ::BIO_meth_get_read(::BIO_s_socket())(bio, buffer, size);
    if (got <= 0 && ::BIO_should_retry(bio)) self.slot().clear(tare::detail::io_readable);
    return got;
  }
  const auto space = std::as_writable_bytes(std::span(buffer, static_cast<std::size_t>(size)));
  return self.stage_ == stage::fed ? self.read_fed(bio, space) : self.read_record(bio, space);
}

int record_bio::read_fed(BIO* bio, std::span<std::byte> buffer) noexcept {
  const std::size_t size = std::min(buffer.size(), fed_.size());
  if (size == 0) {
    ::BIO_set_retry_read(bio);
    return -1;
  }
  std::ranges::copy(fed_.first(size), buffer.begin());
  fed_ = fed_.subspan(size);
  return static_cast<int>(size);
}

int record_bio::read_record(BIO* bio, std::span<std::byte> buffer) noexcept {
  if (stage_ == stage::handshake && in_.is_valid()) buffer = buffer.first(std::min(buffer.size(), in_.left()));
  const result<std::size_t> got = read_some(slot(), buffer);
  if (!got) {
    // The deadline may be extended, so this must not fail OpenSSL's connection. The next wait reports it.
    if (got.error() == std::errc::operation_would_block || got.error() == std::errc::timed_out) {
      ::BIO_set_retry_read(bio);
    } else {
      ERR_raise(ERR_LIB_SYS, got.error().value());
    }
    return -1;
  }
  if (*got == 0) ::BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  if (stage_ == stage::handshake && *got != 0) {
    in_.advance(buffer.first(*got));
    out_records_.restart();
  }
  return static_cast<int>(*got);
}

int record_bio::write(BIO* bio, const char* bytes, int size) noexcept {
  ::BIO_clear_retry_flags(bio);
  record_bio& self = *of(bio);
  if (size <= 0 || self.stage_ == stage::fed) return size;
  const bool by_kernel = BIO_get_ktls_send(bio);
  const auto all = std::as_bytes(std::span(bytes, static_cast<std::size_t>(size)));
  if (!self.take(all, by_kernel ? self.kernel_type_ : std::uint8_t{0})) return -1;
  if (!by_kernel && self.stage_ == stage::handshake) self.out_records_.advance(all);
  return size;
}

// Bytes that could not be sent are kept, and `flush` runs into the same error again.
bool record_bio::take(std::span<const std::byte> bytes, std::uint8_t kernel_type) noexcept {
  wanted next{};
  if (unsent_ != nullptr) (void)flush(next);
  if (unsent_ != nullptr && (unsent_kernel_type_ != kernel_type ||
                             (stage_ == stage::stream && unsent_->bytes().size() + bytes.size() > max_unsent_bytes))) {
    ERR_raise(ERR_LIB_SYS, ENOBUFS);
    return false;
  }
  unsent_kernel_type_ = kernel_type;
  while (unsent_ == nullptr && !bytes.empty()) {
    const result<std::size_t> sent = send(bytes);
    if (!sent) break;
    bytes = bytes.subspan(*sent);
  }
  if (bytes.empty()) return true;
  if (!record_buffer::reserve(unsent_, bytes.size())) {
    ERR_raise(ERR_LIB_SYS, ENOMEM);
    return false;
  }
  std::ranges::copy(bytes, unsent_->space().begin());
  unsent_->add(bytes.size());
  return true;
}

result<std::size_t> record_bio::send(std::span<const std::byte> bytes) noexcept {
  return unsent_kernel_type_ == 0 ? write_some(slot(), bytes) : write_kernel_record(slot(), unsent_kernel_type_, bytes);
}

result<void> record_bio::flush(wanted& next) noexcept {
  next = wanted::nothing;
  while (unsent_ != nullptr) {
    const result<std::size_t> sent = send(unsent_->bytes());
    if (!sent && sent.error() == std::errc::operation_would_block) {
      next = wanted::writable;
      return {};
    }
    if (!sent) return std::unexpected(sent.error());
    unsent_->remove(*sent);
    if (unsent_->is_empty()) unsent_.reset();
  }
  return {};
}

long record_bio::control(BIO* bio, int command, long number, void* pointer) noexcept {
  record_bio* const self = of(bio);
  if (self != nullptr && command == BIO_CTRL_FLUSH) {
    wanted next{};
    ::BIO_clear_retry_flags(bio);
    const result<void> sent = self->flush(next);
    // OpenSSL must not wait for these bytes; `unsent` does. In a handshake, OpenSSL 3.0 would take the wait for a
    // broken connection. OpenSSL 3.5 would treat a connection whose peer reads nothing as one that waits to write,
    // without end, and never reach `max_unsent_bytes`. But they must be sent before the kernel gets the keys.
    const bool before_kernel = self->for_kernel_ && (self->stage_ != stage::stream || BIO_get_ktls_send(bio));
    if (!before_kernel) return 1;
    if (!sent) ERR_raise(ERR_LIB_SYS, sent.error().value());
    if (next == wanted::writable) ::BIO_set_retry_write(bio);
    return sent && next == wanted::nothing ? 1 : -1;
  }
  if (self != nullptr && command == set_kernel_type) self->kernel_type_ = static_cast<std::uint8_t>(number);
  if (self != nullptr && command == clear_kernel_type) self->kernel_type_ = 0;
  return ::BIO_meth_get_ctrl(::BIO_s_socket())(bio, command, number, pointer);
}

int record_bio::destroy(BIO* bio) noexcept {
  if (bio == nullptr) return 0;
  delete of(bio);
  ::BIO_set_callback_arg(bio, nullptr);
  return ::BIO_meth_get_destroy(::BIO_s_socket())(bio);
}

/// One per process. It is never freed, like OpenSSL's own.
BIO_METHOD* record_bio::method() {
  static BIO_METHOD* const made = [] {
    BIO_METHOD* const ours = ::BIO_meth_new(BIO_TYPE_SOCKET, "tare stream");
    if (ours == nullptr) throw std::bad_alloc();
    ::BIO_meth_set_create(ours, ::BIO_meth_get_create(::BIO_s_socket()));
    ::BIO_meth_set_destroy(ours, &record_bio::destroy);
    ::BIO_meth_set_ctrl(ours, &record_bio::control);
    ::BIO_meth_set_read(ours, &record_bio::read);
    ::BIO_meth_set_write(ours, &record_bio::write);
    return ours;
  }();
  return made;
}

BIO* record_bio::make(link slot, bool for_kernel) {
  std::unique_ptr<record_bio> state(new record_bio(slot, for_kernel));
  BIO* const made = ::BIO_new(method());
  if (made == nullptr) throw std::bad_alloc();
  BIO_set_fd(made, from_link<io_slot>(slot)->fd, BIO_NOCLOSE);
  ::BIO_set_callback_arg(made, reinterpret_cast<char*>(state.release()));
  return made;
}

}  // namespace tare::net::tls
