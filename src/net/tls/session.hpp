#pragma once

// One connection's TLS: OpenSSL's until its handshake is over and nothing is on its way, then two keys (record_layer).
//
// OpenSSL tells the keys (its key log) and every record that it makes or reads (its message callback), from which the
// number of the next one follows. It stays for good where the version is 1.2, where the kernel makes the records, and
// where keys were changed before it could be let go. A client's stays until bytes have come, as the server's tickets
// come before them. 256 bytes.

#include "net/tls/record_layer.hpp"
#include "net/tls/socket_calls.hpp"

#include <tare/net/tls.hpp>

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
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

  /// During the handshake. nullptr later.
  [[nodiscard]] SSL* openssl() noexcept { return openssl_; }
  [[nodiscard]] result<void> handshake(wanted& next) noexcept;

  /// Whether there is something to read: bytes, the end, or an error, which the next read gives. Else `next` is what is
  /// lacking. What has come may still be no whole record.
  void peek(wanted& next) noexcept;
  /// No part of a record has been read without the rest of it.
  [[nodiscard]] bool at_record_boundary() const noexcept;
  /// 0: the other side has said farewell.
  [[nodiscard]] result<std::size_t> read(std::span<std::byte> into, wanted& next) noexcept;
  [[nodiscard]] result<std::size_t> write(std::span<const std::byte> bytes, wanted& next) noexcept;
  [[nodiscard]] result<void> farewell(wanted& next) noexcept;

  [[nodiscard]] std::string_view alpn() const noexcept;
  [[nodiscard]] std::string_view server_name() const noexcept;
  [[nodiscard]] std::string_view version() const noexcept;
  [[nodiscard]] bool resumed() const noexcept;

 private:
  /// What people may still ask for once OpenSSL is gone, in a record of the arena's: the sizes, then the texts.
  struct names;

  session(tare::detail::link slot, bool server) noexcept : records_(slot, server) {}

  static void on_secret(const SSL* of, const char* line) noexcept;
  static void on_message(int outgoing, int version, int type, const void* bytes, std::size_t size, SSL* of,
                         void* argument) noexcept;
  static session& of(const SSL* openssl) noexcept;

  /// What OpenSSL lacks; `nothing`: the other side has said farewell.
  [[nodiscard]] result<wanted> wanted_after(int status) noexcept;
  void let_go_if_idle() noexcept;
  [[nodiscard]] bool can_let_go() const noexcept;
  [[nodiscard]] bool keep_names() noexcept;
  void free_openssl() noexcept;

  SSL* openssl_ = nullptr;
  record_layer records_;
  tare::detail::link names_ = tare::detail::no_link;
  bool is_resumed_ : 1 = false;
  bool has_read_ : 1 = false;
  bool is_writing_ : 1 = false;  ///< OpenSSL has begun a record that the system has not taken
  bool stays_ : 1 = false;       ///< with OpenSSL
};
static_assert(sizeof(session) == 256);

}  // namespace tare::net::tls
