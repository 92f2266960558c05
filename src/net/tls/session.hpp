#pragma once

// The TLS state of one connection: OpenSSL's until the handshake has finished, then two keys (record_layer).
//
// OpenSSL is freed as soon as the handshake has finished; on a client, it first reads the tickets (ticket_reader). Our
// own count of the bytes below OpenSSL (record_bio) shows what it holds at this moment: it has read whole records, of
// which the last ends with the peer's Finished, and has written whole records. The keys come from its key log. The
// number of records under them is 0, except on a server, where it is the number of records with tickets: those written
// since it read Finished. OpenSSL's message callback must report the same numbers, and all negotiated extensions must
// be known. Otherwise OpenSSL keeps the connection, as it does for TLS 1.2 and when the kernel handles the records. 256
// bytes.

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
  /// Installs the callbacks that report OpenSSL's secrets and messages, for all connections of the context.
  static void watch(SSL_CTX* context) noexcept;

  /// Fails if OpenSSL does; throws std::bad_alloc.
  [[nodiscard]] static result<detail::session_owner> make(SSL_CTX* context, tare::detail::link slot, bool server);
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// Only during the handshake.
  [[nodiscard]] SSL* openssl() noexcept { return openssl_; }
  /// Finished if `next` is `nothing`: the handshake is complete, and the certificate has been verified if required.
  [[nodiscard]] result<void> handshake(wanted& next) noexcept;
  /// True if we have sent an alert that says why the handshake failed.
  [[nodiscard]] bool sent_alert() const noexcept { return sent_alert_; }

  /// Checks whether there is something to read: bytes, the end, or an error, which the next read returns. Otherwise
  /// `next` says what to wait for, possibly because only part of a record has arrived.
  void peek(wanted& next) noexcept;
  /// True if no partial record has been read.
  [[nodiscard]] bool at_record_boundary() const noexcept;
  /// 0 if the other side has sent close_notify.
  [[nodiscard]] result<std::size_t> read(std::span<std::byte> buffer, wanted& next) noexcept;
  /// Once all earlier records have been sent, seals one more and sends as much of it as the system accepts. Returns the
  /// number of bytes in it; otherwise `next` says what to wait for.
  [[nodiscard]] result<std::size_t> write(std::span<const std::byte> bytes, wanted& next) noexcept;
  /// What has been sealed but not sent; nullptr if there is nothing.
  [[nodiscard]] record_buffer* unsent() noexcept;
  /// Sends it; if the socket is not writable, `next` says so.
  [[nodiscard]] result<void> flush(wanted& next) noexcept;
  /// Sends close_notify, once, after everything that has been sealed; if the socket is not writable, `next` says so.
  [[nodiscard]] result<void> send_close_notify(wanted& next) noexcept;

  /// The memory of the buffers that hold parts of records.
  [[nodiscard]] std::size_t buffered_bytes() const noexcept;

  [[nodiscard]] std::string_view alpn() const noexcept;
  [[nodiscard]] std::string_view server_name() const noexcept;
  [[nodiscard]] std::string_view version() const noexcept;
  [[nodiscard]] bool resumed() const noexcept;
  /// Throws std::bad_alloc.
  [[nodiscard]] std::optional<certificate> peer_certificate() const;

 private:
  /// What callers may still ask for after OpenSSL has been freed, in a record of the arena: the sizes, the strings,
  /// and, if it is to be kept, where the peer's certificate is.
  struct names;
  struct kept_certificate;

  session(tare::detail::link slot, bool server) noexcept : records_(slot, server) {}

  static void on_secret(const SSL* of_connection, const char* line) noexcept;
  static void on_message(int outgoing, int version, int type, const void* bytes, std::size_t size, SSL* of_connection,
                         void* argument) noexcept;
  static session& of(const SSL* openssl) noexcept;

  /// What OpenSSL waits for; `nothing`: the other side has sent close_notify.
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
  bool is_handed_over_ : 1 = false;    ///< to the record layer
  bool knows_extensions_ : 1 = false;  ///< all negotiated extensions are known
  bool sent_alert_ : 1 = false;
  bool has_failed_ : 1 = false;       ///< OpenSSL must not be called any more
  bool stays_ : 1 = false;            ///< OpenSSL keeps the connection
  bool has_certificate_ : 1 = false;  ///< in `names`
};
static_assert(sizeof(session) == 256);

}  // namespace tare::net::tls
