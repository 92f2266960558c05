#pragma once

// TLS 1.3 after its handshake (RFC 8446, 5): a connection as two keys and nothing else, while nothing is on its way.
//
// What kernel TLS does in the kernel: OpenSSL makes the handshake, and then its state, some fourteen kilobytes, is
// freed. What remains to be done is to seal and open records, by OpenSSL's ciphers, and to process the few messages
// that may still come: alerts, new keys, and tickets, which a client passes on (ticket_reader). 240 bytes.

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
  /// Nothing of the connection's keys remains, also where others use the same ciphers.
  ~record_layer() { forget_last_key(suite_); }
  record_layer(const record_layer&) = delete;
  record_layer& operator=(const record_layer&) = delete;

  /// Still to be told their secrets.
  [[nodiscard]] traffic_keys& receiving() noexcept { return receiving_; }
  [[nodiscard]] traffic_keys& sending() noexcept { return sending_; }
  [[nodiscard]] bool is_server() const noexcept { return server_; }

  /// From now on records are made here. False if the secrets are not such as the suite has, or OpenSSL fails.
  [[nodiscard]] bool start(cipher_suite suite) noexcept;

  /// No bytes have been read that have not been taken.
  [[nodiscard]] bool at_record_boundary() const noexcept {
    return in_ == nullptr || (in_->is_empty() && in_->plain.empty());
  }

  /// How many bytes have come that can be taken; 0 if none will any more; or `next` is what is lacking. An error comes
  /// again with each call.
  [[nodiscard]] result<std::size_t> available(wanted& next, ticket_reader tickets = {}) noexcept;
  /// Takes of these.
  [[nodiscard]] std::size_t take(std::span<std::byte> into) noexcept;
  /// What the buffers take.
  [[nodiscard]] std::size_t buffered_bytes() const noexcept {
    return (in_ == nullptr ? 0 : in_->capacity()) + (out_ == nullptr ? 0 : out_->capacity());
  }

  /// Seals a record once all before it have left, and sends what the system takes of it: how many bytes it holds, or
  /// `next` is what is lacking.
  [[nodiscard]] result<std::size_t> write(std::span<const std::byte> bytes, wanted& next) noexcept;
  /// What has been sealed and not sent; nullptr if there is nothing.
  [[nodiscard]] record_buffer* unsent() noexcept { return out_.get(); }
  /// Sends it, unless `next` is what that lacks.
  [[nodiscard]] result<void> flush(wanted& next) noexcept;
  /// Tells the other side that no more will be written, unless `next` is what that lacks.
  [[nodiscard]] result<void> send_close_notify(wanted& next) noexcept;

 private:
  /// Records in a row that carry none of the user's bytes; whoever sends more of them is up to no good.
  static constexpr std::uint8_t max_idle = 32;

  [[nodiscard]] tare::detail::io_slot& slot() const noexcept {
    return *tare::detail::from_link<tare::detail::io_slot>(slot_);
  }
  [[nodiscard]] result<void> receive(wanted& next) noexcept;
  /// Opens a record if a whole one is there, which `opened` tells.
  [[nodiscard]] result<void> open_next(bool& opened, ticket_reader& tickets) noexcept;
  [[nodiscard]] result<void> make_room(std::size_t record_bytes) noexcept;
  [[nodiscard]] result<void> process(const opened_record& record, bool& holds_tickets) noexcept;
  [[nodiscard]] result<void> process_alert(std::span<const std::byte> alert) noexcept;
  /// `holds_tickets`: and nothing else.
  [[nodiscard]] result<void> process_handshake(std::span<const std::byte> messages, bool& holds_tickets) noexcept;
  [[nodiscard]] result<void> begin_message() noexcept;
  [[nodiscard]] result<void> update_keys(std::byte request, bool is_last) noexcept;

  /// Adds a record to what goes out.
  [[nodiscard]] bool seal(content_type type, std::span<const std::byte> plain) noexcept;
  /// Adds the message that new keys follow, and takes them, if it is time to.
  [[nodiscard]] bool seal_update_if_due() noexcept;
  /// Ends the connection with an alert of ours.
  [[nodiscard]] std::unexpected<std::error_code> fail(std::uint8_t alert, int reason) noexcept;
  [[nodiscard]] std::unexpected<std::error_code> fail_without_alert(unsigned long packed) noexcept;
  [[nodiscard]] std::unexpected<std::error_code> failure() const noexcept;

  traffic_keys receiving_;
  traffic_keys sending_;
  record_buffer::owner in_;
  record_buffer::owner out_;
  tare::detail::link slot_;
  std::uint32_t failure_ = 0;           ///< as OpenSSL packs errors; 0: none
  std::array<std::uint8_t, 4> head_{};  ///< of a message that is not all here: its type, and how much is to come
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
