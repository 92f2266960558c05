#pragma once

// OpenSSL's context, and the tickets that a client has been given.

#include <tare/net/result.hpp>
#include <tare/net/tls.hpp>

#include <openssl/ssl.h>

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace tare::net::tls {

/// An error as OpenSSL packs it.
[[nodiscard]] std::unexpected<std::error_code> error_of(unsigned long packed) noexcept;
/// What OpenSSL's queue of errors says first, or the connection's if that is empty.
[[nodiscard]] std::unexpected<std::error_code> openssl_error() noexcept;

/// Belongs to OpenSSL's context, which every connection refers to, and ends with it.
class context_core {
 public:
  /// Sets up a context of one of OpenSSL's methods. Fails if OpenSSL has no memory.
  [[nodiscard]] static result<std::shared_ptr<SSL_CTX>> make(const SSL_METHOD* method, bool server);
  [[nodiscard]] static context_core& of(const SSL_CTX* context) noexcept;

  struct free_ticket {
    void operator()(SSL_SESSION* freed) const noexcept { ::SSL_SESSION_free(freed); }
  };

  std::expected<void, context_error> use_certificate(const std::string& chain, const std::string& key);
  void set_alpn(const std::vector<std::string>& protocols);

  /// Resumes with the ticket of an earlier connection to the host, if there is one.
  void offer_ticket(SSL* session, const std::string& host);

 private:
  explicit context_core(SSL_CTX* of, bool server) noexcept : context_(of), server_(server) {}
  void set_up() noexcept;
  static constexpr std::size_t most_tickets = 256;
  static int keep_ticket(SSL* session, SSL_SESSION* ticket) noexcept;
  static int choose_alpn(SSL* session, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                         unsigned offered_size, void* self) noexcept;

  SSL_CTX* context_;
  bool server_;
  std::vector<unsigned char> alpn_;  ///< each after its length
  std::mutex lock_;
  std::unordered_map<std::string, std::unique_ptr<SSL_SESSION, free_ticket>> tickets_;  ///< guarded by the lock
};

}  // namespace tare::net::tls
