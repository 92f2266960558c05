#pragma once

// One connection's TLS: OpenSSL's until its handshake is over, then two keys (record_layer).
//
// OpenSSL is freed as soon as the handshake is over; a client's then only reads tickets (ticket_reader). What it holds
// at this moment is known by our own count of the bytes below it (record_bio): it has read whole records, the last one
// with the peer's Finished, and written whole records. The keys come from its key log. The number of records under them
// is 0, but for a server's tickets, which are the records that it has written since it read Finished. Its message
// callback has to give the same numbers, and the extensions agreed on, all of which have to be known. Otherwise OpenSSL
// keeps the connection, as it does where the version is 1.2 or the kernel makes the records. 256 bytes.

#include "net/tls/record_buffer.hpp"
#include "net/tls/record_layer.hpp"
#include "net/tls/socket_calls.hpp"

#include <tare/net/tls.hpp>

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tare::net::tls {

class session {
 public:
  /// Has OpenSSL tell what it knows, for all connections of the context.
  static void watch(SSL_CTX* context) noexcept;

  /// Fails if OpenSSL does; throws std::bad_alloc.
  [[nodiscard]] static result<detail::session_owner> make(SSL_CTX* context, tare::detail::link slot, bool server);
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// During the handshake.
  [[nodiscard]] SSL* openssl() noexcept { return openssl_; }
  /// Done if `next` is `nothing`: the handshake has come to its end, and the certificate that was to be verified is.
  [[nodiscard]] result<void> handshake(wanted& next) noexcept;
  /// An alert of ours says why the handshake has failed.
  [[nodiscard]] bool sent_alert() const noexcept { return sent_alert_; }

  /// Whether there is something to read: bytes, the end, or an error, which the next read gives. Else `next` is what is
  /// lacking. What has come may still be no whole record.
  void peek(wanted& next) noexcept;
  /// No part of a record has been read without the rest of it.
  [[nodiscard]] bool at_record_boundary() const noexcept;
  /// 0: the other side has sent close_notify.
  [[nodiscard]] result<std::size_t> read(std::span<std::byte> into, wanted& next) noexcept;
  /// Seals a record once all before it have left, and sends what the system takes of it: how many bytes it holds, or
  /// `next` is what is lacking.
  [[nodiscard]] result<std::size_t> write(std::span<const std::byte> bytes, wanted& next) noexcept;
  /// What has been sealed and not sent; nullptr if there is nothing.
  [[nodiscard]] record_buffer* unsent() noexcept;
  /// Sends it, unless `next` is what that lacks.
  [[nodiscard]] result<void> flush(wanted& next) noexcept;
  /// Sends close_notify, once, behind all that has been sealed, unless `next` is what that lacks.
  [[nodiscard]] result<void> send_close_notify(wanted& next) noexcept;

  /// What buffers take that hold parts of records.
  [[nodiscard]] std::size_t buffered_bytes() const noexcept;

  [[nodiscard]] std::string_view alpn() const noexcept;
  [[nodiscard]] std::string_view server_name() const noexcept;
  [[nodiscard]] std::string_view version() const noexcept;
  [[nodiscard]] bool resumed() const noexcept;
  /// Throws std::bad_alloc.
  [[nodiscard]] std::optional<certificate> peer_certificate() const;

 private:
  /// What people may still ask for once OpenSSL is gone, in a record of the arena's: the sizes, then the texts, then,
  /// if it is to be kept, where the peer's certificate is.
  struct names;
  struct kept_certificate;

  session(tare::detail::link slot, bool server) noexcept : records_(slot, server) {}

  static void on_secret(const SSL* of, const char* line) noexcept;
  static void on_message(int outgoing, int version, int type, const void* bytes, std::size_t size, SSL* of,
                         void* argument) noexcept;
  static session& of(const SSL* openssl) noexcept;

  /// What OpenSSL lacks; `nothing`: the other side has sent close_notify.
  [[nodiscard]] result<wanted> wanted_after(int status) noexcept;
  [[nodiscard]] result<void> check_handshake() const noexcept;
  void hand_over() noexcept;
  [[nodiscard]] bool can_hand_over() noexcept;
  [[nodiscard]] bool keep_names() noexcept;
  [[nodiscard]] result<kept_certificate> copy_peer_certificate() const noexcept;

  SSL* openssl_ = nullptr;
  record_layer records_;
  tare::detail::link names_ = tare::detail::no_link;
  bool is_resumed_ : 1 = false;
  bool is_handed_over_ : 1 = false;    ///< the record layer has the connection
  bool knows_extensions_ : 1 = false;  ///< all that were agreed on
  bool sent_alert_ : 1 = false;
  bool has_failed_ : 1 = false;       ///< OpenSSL must not be called any more
  bool stays_ : 1 = false;            ///< with OpenSSL
  bool has_certificate_ : 1 = false;  ///< in `names`
};
static_assert(sizeof(session) == 256);

}  // namespace tare::net::tls
