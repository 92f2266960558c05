#include "net/tls/record_layer.hpp"

#include "net/tls/context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tare::net::tls {

namespace {

// Message types (RFC 8446, 4).
constexpr std::uint8_t new_session_ticket = 4;
constexpr std::uint8_t key_update = 24;

constexpr std::byte update_not_requested{0};
constexpr std::byte update_requested{1};

constexpr std::uint8_t warning = 1;
constexpr std::uint8_t fatal = 2;

unsigned long out_of_memory() noexcept { return static_cast<unsigned long>(ENOMEM) | ERR_SYSTEM_FLAG; }

}  // namespace

bool record_layer::start(cipher_suite suite) noexcept {
  suite_ = suite;
  return receiving_.derive(suite) && sending_.derive(suite);
}

std::unexpected<std::error_code> record_layer::failure() const noexcept { return error_of(failure_); }

std::unexpected<std::error_code> record_layer::fail_without_alert(unsigned long packed) noexcept {
  failure_ = static_cast<std::uint32_t>(packed);
  in_.reset();
  return failure();
}

std::unexpected<std::error_code> record_layer::fail(std::uint8_t alert, int reason) noexcept {
  // If the system's buffer is full, the other side only sees the end of the connection.
  wanted ignored{};
  const std::array<std::byte, 2> message{std::byte{fatal}, std::byte{alert}};
  if (!sent_close_notify_ && seal(content_type::alert, message)) (void)flush(ignored);
  out_.reset();
  return fail_without_alert(ERR_PACK(ERR_LIB_SSL, 0, reason));
}

result<std::size_t> record_layer::available(wanted& next, ticket_reader tickets) noexcept {
  next = wanted::nothing;
  for (;;) {
    if (failure_ != 0) return failure();
    if (in_ != nullptr && !in_->plain.empty()) return in_->plain.size();
    if (got_close_notify_) {
      in_.reset();
      return std::size_t{0};
    }
    bool opened = false;
    if (auto done = open_next(opened, tickets); !done) return std::unexpected(done.error());
    if (opened) continue;
    if (auto done = receive(next); !done) return std::unexpected(done.error());
    if (next != wanted::nothing) return std::size_t{0};
  }
}

std::size_t record_layer::take(std::span<std::byte> buffer) noexcept {
  const std::size_t taken = std::min(buffer.size(), in_->plain.size());
  if (taken != 0) std::memcpy(buffer.data(), in_->plain.data(), taken);
  in_->plain = in_->plain.subspan(taken);
  if (in_->plain.empty() && in_->is_empty()) in_.reset();
  return taken;
}

result<void> record_layer::receive(wanted& next) noexcept {
  if (in_ == nullptr) in_ = record_buffer::make(1);
  if (in_ == nullptr) return fail_without_alert(out_of_memory());
  const auto got = read_some(slot(), in_->space());
  if (!got && got.error() == std::errc::operation_would_block) {
    if (in_->is_empty()) in_.reset();
    next = wanted::readable;
    return {};
  }
  if (!got && got.error() == std::errc::timed_out) {
    // The deadline may be extended.
    if (in_->is_empty()) in_.reset();
    return std::unexpected(got.error());
  }
  if (!got) return fail_without_alert(static_cast<unsigned long>(got.error().value()) | ERR_SYSTEM_FLAG);
  if (*got == 0) return fail_without_alert(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_EOF_WHILE_READING));
  in_->add(*got);
  return {};
}

result<void> record_layer::make_room(std::size_t record_bytes) noexcept {
  if (in_->bytes().size() + in_->space().size() >= record_bytes && !in_->space().empty()) return {};
  if (in_->capacity() >= record_bytes) {
    in_->compact();
    return {};
  }
  auto larger = record_buffer::make(traffic_keys::max_record_bytes);
  if (larger == nullptr) return fail_without_alert(out_of_memory());
  std::ranges::copy(in_->bytes(), larger->space().begin());
  larger->add(in_->bytes().size());
  in_ = std::move(larger);
  return {};
}

result<void> record_layer::open_next(bool& opened, ticket_reader& tickets) noexcept {
  if (in_ == nullptr) return {};
  const auto there = in_->bytes();
  if (there.size() < traffic_keys::header_bytes) return make_room(traffic_keys::header_bytes);
  if (there[0] != static_cast<std::byte>(content_type::application_data)) {
    return fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_UNEXPECTED_RECORD);
  }
  const std::size_t size = traffic_keys::header_bytes + (std::to_integer<std::size_t>(there[3]) << 8U) +
                           std::to_integer<std::size_t>(there[4]);
  if (size > traffic_keys::max_record_bytes) return fail(SSL_AD_RECORD_OVERFLOW, SSL_R_ENCRYPTED_LENGTH_TOO_LONG);
  if (there.size() < size) return make_room(size);
  tickets.keep(there.first(size));
  const auto record = receiving_.open(suite_, there.first(size));
  if (!record) return fail(SSL_AD_BAD_RECORD_MAC, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC);
  // Padding counts too (RFC 8446, 5.4).
  if (size > traffic_keys::max_plain_bytes + traffic_keys::overhead_bytes) {
    return fail(SSL_AD_RECORD_OVERFLOW, SSL_R_DATA_LENGTH_TOO_LONG);
  }
  in_->remove(size);
  opened = true;
  idle_ = record->type == content_type::application_data && !record->bytes.empty() ? 0 : idle_ + 1;
  if (idle_ > max_idle) return fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_TOO_MANY_KEY_UPDATES);
  bool holds_tickets = false;
  if (auto processed = process(*record, holds_tickets); !processed) return processed;
  if (!tickets.pass(holds_tickets)) return fail(SSL_AD_DECODE_ERROR, SSL_R_LENGTH_MISMATCH);
  if (in_->plain.empty() && in_->is_empty()) in_.reset();
  return {};
}

result<void> record_layer::process(const opened_record& record, bool& holds_tickets) noexcept {
  // No other record may come between the parts of a message.
  if (head_bytes_ != 0 && record.type != content_type::handshake) {
    return fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_UNEXPECTED_RECORD);
  }
  switch (record.type) {
    case content_type::application_data:
      in_->plain = record.bytes;
      return {};
    case content_type::alert:
      return process_alert(record.bytes);
    case content_type::handshake:
      return process_handshake(record.bytes, holds_tickets);
    case content_type::none:
    case content_type::change_cipher_spec:
      break;
  }
  return fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_UNEXPECTED_RECORD);
}

result<void> record_layer::process_alert(std::span<const std::byte> alert) noexcept {
  // RFC 8446, 5.4.
  if (alert.empty()) return fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_BAD_LENGTH);
  if (alert.size() != 2) return fail(SSL_AD_DECODE_ERROR, SSL_R_BAD_LENGTH);
  const auto what = std::to_integer<int>(alert[1]);
  if (what == SSL_AD_CLOSE_NOTIFY) got_close_notify_ = true;
  // Every other alert ends the connection, whatever its level says.
  if (what == SSL_AD_CLOSE_NOTIFY || what == SSL_AD_USER_CANCELLED) return {};
  return fail_without_alert(ERR_PACK(ERR_LIB_SSL, 0, SSL_AD_REASON_OFFSET + what));
}

result<void> record_layer::process_handshake(std::span<const std::byte> messages, bool& holds_tickets) noexcept {
  if (messages.empty()) return fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_BAD_LENGTH);
  holds_tickets = true;
  while (!messages.empty()) {
    if (head_bytes_ < head_.size()) {
      head_[head_bytes_++] = std::to_integer<std::uint8_t>(messages.front());
      if (head_[0] != new_session_ticket) holds_tickets = false;
      messages = messages.subspan(1);
      if (head_bytes_ < head_.size()) continue;
      if (auto begun = begin_message(); !begun) return begun;
    }
    const std::size_t left = std::size_t{head_[1]} << 16U | std::size_t{head_[2]} << 8U | head_[3];
    const std::size_t here = std::min(left, messages.size());
    if (head_[0] != new_session_ticket) holds_tickets = false;
    if (here != 0 && head_[0] == key_update) {
      if (auto updated = update_keys(messages.front(), messages.size() == 1); !updated) return updated;
    }
    messages = messages.subspan(here);
    head_[1] = static_cast<std::uint8_t>((left - here) >> 16U);
    head_[2] = static_cast<std::uint8_t>((left - here) >> 8U);
    head_[3] = static_cast<std::uint8_t>(left - here);
    if (here == left) head_bytes_ = 0;
  }
  return {};
}

result<void> record_layer::begin_message() noexcept {
  const bool is_one_byte = head_[1] == 0 && head_[2] == 0 && head_[3] == 1;
  if (head_[0] == key_update) {
    return is_one_byte ? result<void>() : fail(SSL_AD_DECODE_ERROR, SSL_R_BAD_KEY_UPDATE);
  }
  if (head_[0] == new_session_ticket && !server_) return {};
  return fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_UNEXPECTED_MESSAGE);
}

result<void> record_layer::update_keys(std::byte request, bool is_last) noexcept {
  if (request != update_not_requested && request != update_requested) {
    return fail(SSL_AD_ILLEGAL_PARAMETER, SSL_R_BAD_KEY_UPDATE);
  }
  // Everything after this message uses the new keys, so it cannot be in the same record.
  if (!is_last) return fail(SSL_AD_UNEXPECTED_MESSAGE, SSL_R_NOT_ON_RECORD_BOUNDARY);
  if (!receiving_.update(suite_)) return fail(SSL_AD_INTERNAL_ERROR, ERR_R_INTERNAL_ERROR);
  // However often the peer requests it, one update before the next bytes is enough (RFC 8446, 4.6.3).
  if (request == update_requested) owes_update_ = true;
  return {};
}

bool record_layer::seal(content_type type, std::span<const std::byte> plain) noexcept {
  if (!record_buffer::reserve(out_, plain.size() + traffic_keys::overhead_bytes)) return false;
  const std::size_t sealed = sending_.seal(suite_, type, plain, out_->space());
  out_->add(sealed);
  return sealed != 0;
}

bool record_layer::seal_update_if_due() noexcept {
  if (!owes_update_ && sending_.sequence() < traffic_keys::max_records) return true;
  const std::array<std::byte, 5> message{std::byte{key_update}, std::byte{0}, std::byte{0}, std::byte{1},
                                         update_not_requested};
  owes_update_ = false;
  return seal(content_type::handshake, message) && sending_.update(suite_);
}

result<void> record_layer::flush(wanted& next) noexcept {
  next = wanted::nothing;
  while (out_ != nullptr && !out_->is_empty()) {
    const auto sent = write_some(slot(), out_->bytes());
    if (!sent && sent.error() == std::errc::operation_would_block) {
      next = wanted::writable;
      return {};
    }
    if (!sent) return std::unexpected(sent.error());
    out_->remove(*sent);
  }
  out_.reset();
  return {};
}

result<std::size_t> record_layer::write(std::span<const std::byte> bytes, wanted& next) noexcept {
  next = wanted::nothing;
  if (failure_ != 0) return failure();
  if (sent_close_notify_) return std::unexpected(std::make_error_code(std::errc::broken_pipe));
  if (auto sent = flush(next); !sent) return std::unexpected(sent.error());
  if (next != wanted::nothing) return std::size_t{0};
  constexpr std::size_t update_bytes = traffic_keys::overhead_bytes + 5;
  const auto now = bytes.first(std::min(bytes.size(), traffic_keys::max_plain_bytes));
  out_ = record_buffer::make(update_bytes + traffic_keys::overhead_bytes + now.size());
  if (out_ == nullptr) return fail_without_alert(out_of_memory());
  if (!seal_update_if_due() || !seal(content_type::application_data, now)) {
    out_.reset();
    return fail_without_alert(ERR_PACK(ERR_LIB_SSL, 0, ERR_R_INTERNAL_ERROR));
  }
  wanted ignored{};
  if (auto sent = flush(ignored); !sent) return std::unexpected(sent.error());
  return now.size();
}

result<void> record_layer::send_close_notify(wanted& next) noexcept {
  next = wanted::nothing;
  if (failure_ != 0) return failure();
  if (!sent_close_notify_) {
    const std::array<std::byte, 2> message{std::byte{warning}, std::byte{SSL_AD_CLOSE_NOTIFY}};
    if (!seal(content_type::alert, message)) return fail_without_alert(ERR_PACK(ERR_LIB_SSL, 0, ERR_R_INTERNAL_ERROR));
    sent_close_notify_ = true;
  }
  return flush(next);
}

}  // namespace tare::net::tls
