#pragma once

// OpenSSL's context with the data that belongs to it, and the state of a `context`: the OpenSSL context in use, and the
// ticket keys, which survive its replacement.

#include "net/tls/error.hpp"
#include "net/tls/server_certificates.hpp"
#include "net/tls/ticket_keys.hpp"
#include "net/tls/ticket_store.hpp"

#include <tare/net/result.hpp>
#include <tare/net/tls.hpp>

#include <openssl/ssl.h>

#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

namespace tare::net::tls {

/// Belongs to an OpenSSL context, to which every connection refers, and is destroyed with it.
class context_core {
 public:
  /// Fails like `context::client` and `context::server`.
  [[nodiscard]] static std::expected<std::shared_ptr<SSL_CTX>, context_error> make(const client_options& options);
  [[nodiscard]] static std::expected<std::shared_ptr<SSL_CTX>, context_error> make(const server_options& options,
                                                                                   std::shared_ptr<ticket_keys> keys);
  [[nodiscard]] static context_core& of(const SSL_CTX* context) noexcept;

  /// For a client: resumes with a ticket of the server, if there is one, and stores the tickets that the server will
  /// send. Throws std::bad_alloc.
  void offer_ticket(SSL* connection, std::string server);
  /// Call it when a client's handshake has finished: a ticket that may be used again returns to the store.
  void finish_resumption(SSL* connection) noexcept;
  /// For `stream::peer_certificate`.
  [[nodiscard]] bool keeps_peer_certificate() const noexcept { return keeps_peer_certificate_; }

 private:
  context_core(SSL_CTX* context, bool server) noexcept : context_(context), server_(server) {}
  [[nodiscard]] static result<std::shared_ptr<SSL_CTX>> make(const SSL_METHOD* method, bool server);
  void set_up() noexcept;

  using done = std::expected<void, context_error>;
  template <class Options>
  [[nodiscard]] done set_protection(const Options& options);
  [[nodiscard]] done set_certificates(const server_options& options);
  [[nodiscard]] done set_certificate(const client_options& options);
  [[nodiscard]] done set_client_authorities(const server_options& options);
  [[nodiscard]] done set_alpn(const std::vector<std::string>& protocols);
  [[nodiscard]] done set_tickets(const server_options& options, std::shared_ptr<ticket_keys> keys);
  [[nodiscard]] bool bind_tickets(const server_options& options);

  static int keep_ticket(SSL* connection, SSL_SESSION* ticket) noexcept;
  static int choose_alpn(SSL* connection, const unsigned char** chosen, unsigned char* size,
                         const unsigned char* offered, unsigned offered_size, void* self) noexcept;
  static int choose_certificate(SSL* connection, int* alert, void* self) noexcept;
  static int use_ticket_key(SSL* connection, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                            EVP_MAC_CTX* mac, int seal) noexcept;
  static int write_ticket(SSL* connection, void* self) noexcept;
  static SSL_TICKET_RETURN read_ticket(SSL* connection, SSL_SESSION* ticket, const unsigned char* name,
                                       std::size_t name_bytes, SSL_TICKET_STATUS status, void* self) noexcept;

  SSL_CTX* context_;
  bool server_;
  bool keeps_peer_certificate_ = false;
  bool refuses_unknown_names_ = false;
  std::vector<unsigned char> alpn_;  ///< each preceded by its length
  server_certificates certificates_;
  std::shared_ptr<ticket_keys> keys_;
  std::chrono::nanoseconds ticket_lifetime_{};
  ticket_store tickets_;
};

/// What the copies of a context share. New handshakes use a replacement; existing connections keep the old context.
class context_state {
 public:
  explicit context_state(client_options options) : options_(std::move(options)) {}
  explicit context_state(server_options options);

  /// Creates a new OpenSSL context from these options. If that fails, nothing changes.
  template <class Options>
  [[nodiscard]] std::expected<void, context_error> load(const Options& options);
  [[nodiscard]] std::expected<void, context_error> reload();
  [[nodiscard]] std::shared_ptr<SSL_CTX> current() const;
  [[nodiscard]] const std::shared_ptr<ticket_keys>& keys() const noexcept { return keys_; }
  [[nodiscard]] bool is_server() const noexcept { return keys_ != nullptr; }

 private:
  using any_options = std::variant<client_options, server_options>;
  [[nodiscard]] std::expected<void, context_error> load_locked(const client_options& options);
  [[nodiscard]] std::expected<void, context_error> load_locked(const server_options& options);
  void replace(std::shared_ptr<SSL_CTX> owner, any_options options);

  std::mutex loading_;       ///< held while files are read; locked before lock_
  mutable std::mutex lock_;  ///< protects the next two
  std::shared_ptr<SSL_CTX> current_;
  any_options options_;
  const std::shared_ptr<ticket_keys> keys_;  ///< for a server only
};

}  // namespace tare::net::tls
