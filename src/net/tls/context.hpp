#pragma once

// OpenSSL's context, the tickets that a client has been given, and the BIO that connects OpenSSL to a stream's slot.

#include <tare/net/result.hpp>
#include <tare/net/tls.hpp>

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace tare::net::tls {

/// What OpenSSL's queue of errors says first, or the connection's if that is empty.
[[nodiscard]] std::unexpected<std::error_code> openssl_error() noexcept;

/// Reads and writes through the slot; nothing is buffered in it.
[[nodiscard]] BIO* make_bio(tare::detail::link slot);

class context_core {
 public:
  context_core(SSL_CTX* made, bool server);

  struct free_context {
    void operator()(SSL_CTX* freed) const noexcept { ::SSL_CTX_free(freed); }
  };
  struct free_ticket {
    void operator()(SSL_SESSION* freed) const noexcept { ::SSL_SESSION_free(freed); }
  };

  [[nodiscard]] SSL_CTX* get() const noexcept { return context_.get(); }
  result<void> use_certificate(const std::string& chain, const std::string& key);
  void set_alpn(const std::vector<std::string>& protocols);

  /// Resumes with the ticket of an earlier connection to the host, if there is one.
  void offer_ticket(SSL* session, const std::string& host);

 private:
  static constexpr std::size_t most_tickets = 256;
  static int keep_ticket(SSL* session, SSL_SESSION* ticket) noexcept;
  static int choose_alpn(SSL* session, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                         unsigned offered_size, void* self) noexcept;

  std::unique_ptr<SSL_CTX, free_context> context_;
  bool server_;
  std::vector<unsigned char> alpn_;  ///< each after its length
  std::mutex lock_;
  std::unordered_map<std::string, std::unique_ptr<SSL_SESSION, free_ticket>> tickets_;  ///< guarded by the lock
};

}  // namespace tare::net::tls
