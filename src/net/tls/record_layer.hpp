#pragma once

// TLS 1.3 after its handshake (RFC 8446, 5). While no record is in transit, a connection is two keys and nothing else.
//
// This does what kernel TLS does in the kernel: OpenSSL does the handshake, and then its state, about 14 KB, is freed.
// What remains is to seal and open records with OpenSSL's ciphers, and to process the few messages that may still
// arrive: alerts, key updates, and tickets, which a client passes on (ticket_reader). 240 bytes.

#include "net/tls/record_buffer.hpp"
#include "net/tls/socket_calls.hpp"
#include "net/tls/ticket_reader.hpp"
#include "net/tls/traffic_keys.hpp"

#include <tare/detail/link.hpp>
#include <tare/net/result.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tare::net::tls {

class record_layer {
 public:
  record_layer(tare::detail::link slot, bool server) noexcept : slot_(slot), server_(server) {}
  /// No trace of the connection's keys remains, not even in ciphers that other connections use too.
  ~record_layer() { forget_last_key(suite_); }
  record_layer(const record_layer&) = delete;
  record_layer& operator=(const record_layer&) = delete;

  /// The keys of the two directions; set their secrets before `start`.
  [[nodiscard]] traffic_keys& receiving() noexcept { return receiving_; }
  [[nodiscard]] traffic_keys& sending() noexcept { return sending_; }
  [[nodiscard]] bool is_server() const noexcept { return server_; }

  /// From now on this object makes the records. False if the secrets do not fit the suite, or OpenSSL fails.
  [[nodiscard]] bool start(cipher_suite suite) noexcept;

  /// True if all bytes that have been read have been taken too.
  [[nodiscard]] bool at_record_boundary() const noexcept {
    return in_ == nullptr || (in_->is_empty() && in_->plain.empty());
  }

  /// The number of bytes that can be taken; 0 if there will be no more; otherwise `next` says what to wait for. An
  /// error is returned again by each later call.
  [[nodiscard]] result<std::size_t> available(wanted& next, ticket_reader tickets = {}) noexcept;
  /// Takes some of them.
  [[nodiscard]] std::size_t take(std::span<std::byte> buffer) noexcept;
  /// The memory that the buffers use.
  [[nodiscard]] std::size_t buffered_bytes() const noexcept {
    return (in_ == nullptr ? 0 : in_->capacity()) + (out_ == nullptr ? 0 : out_->capacity());
  }

  /// Once all earlier records have been sent, seals one more and sends as much of it as the system accepts. Returns the
  /// number of bytes in it; otherwise `next` says what to wait for.
  [[nodiscard]] result<std::size_t> write(std::span<const std::byte> bytes, wanted& next) noexcept;
  /// What has been sealed but not sent; nullptr if there is nothing.
  [[nodiscard]] record_buffer* unsent() noexcept { return out_.get(); }
  /// Sends it; if the socket is not writable, `next` says so.
  [[nodiscard]] result<void> flush(wanted& next) noexcept;
  /// Tells the other side that nothing more will be written; if the socket is not writable, `next` says so.
  [[nodiscard]] result<void> send_close_notify(wanted& next) noexcept;

 private:
  /// Consecutive records without user data. A peer that sends more of them is only keeping us busy.
  static constexpr std::uint8_t max_idle = 32;

  [[nodiscard]] tare::detail::io_slot& slot() const noexcept {
    return *tare::detail::from_link<tare::detail::io_slot>(slot_);
  }
  [[nodiscard]] result<void> receive(wanted& next) noexcept;
  /// Opens a record if a whole one has arrived, and sets `opened` if it did.
  [[nodiscard]] result<void> open_next(bool& opened, ticket_reader& tickets) noexcept;
  [[nodiscard]] result<void> make_room(std::size_t record_bytes) noexcept;
  [[nodiscard]] result<void> process(const opened_record& record, bool& holds_tickets) noexcept;
  [[nodiscard]] result<void> process_alert(std::span<const std::byte> alert) noexcept;
  /// `holds_tickets` is set if there is nothing but tickets.
  [[nodiscard]] result<void> process_handshake(std::span<const std::byte> messages, bool& holds_tickets) noexcept;
  [[nodiscard]] result<void> begin_message() noexcept;
  [[nodiscard]] result<void> update_keys(std::byte request, bool is_last) noexcept;

  /// Appends a record to the outgoing bytes.
  [[nodiscard]] bool seal(content_type type, std::span<const std::byte> plain) noexcept;
  /// If it is time for new keys, appends the message that announces them, and switches to them.
  [[nodiscard]] bool seal_update_if_due() noexcept;
  /// Ends the connection and sends an alert.
  [[nodiscard]] std::unexpected<std::error_code> fail(std::uint8_t alert, int reason) noexcept;
  [[nodiscard]] std::unexpected<std::error_code> fail_without_alert(unsigned long packed) noexcept;
  [[nodiscard]] std::unexpected<std::error_code> failure() const noexcept;

  traffic_keys receiving_;
  traffic_keys sending_;
  record_buffer::owner in_;
  record_buffer::owner out_;
  tare::detail::link slot_;
  std::uint32_t failure_ = 0;           ///< in OpenSSL's packed form; 0: none
  std::array<std::uint8_t, 4> head_{};  ///< of an incomplete message: its type, and how many bytes are missing
  std::uint8_t head_bytes_ = 0;
  std::uint8_t idle_ = 0;
  cipher_suite suite_ = cipher_suite::none;
  bool server_ : 1;
  bool got_close_notify_ : 1 = false;
  bool sent_close_notify_ : 1 = false;
  bool owes_update_ : 1 = false;
};
static_assert(sizeof(record_layer) == 240);

}  // namespace tare::net::tls
