#pragma once

// The certificates of a server, by the host names that they are valid for.

#include <tare/net/tls_options.hpp>

#include <openssl/ssl.h>

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tare::net::tls {

/// In lowercase and without a trailing dot, the form in which names are compared.
[[nodiscard]] std::string normal_name(std::string_view host);

class server_certificates {
 public:
  /// Reads a certificate with its chain and key. The first one is the default.
  /// **Errors**: OpenSSL's, and the system's for files; invalid_argument if it is not the first and contains no host
  /// name.
  [[nodiscard]] std::expected<void, context_error> add(const certificate_files& files);

  [[nodiscard]] std::size_t size() const noexcept { return certificates_.size(); }
  /// Whether a certificate is valid for this name; being the default does not count.
  [[nodiscard]] bool knows(std::string_view host) const;
  /// Makes the connection present the certificates for the name, or the default. False if OpenSSL is out of memory.
  [[nodiscard]] bool use(SSL* connection, std::string_view host) const;
  /// The same for all connections of the context.
  [[nodiscard]] bool use_default(SSL_CTX* context) const;

 private:
  struct free_it {
    void operator()(X509* freed) const noexcept { ::X509_free(freed); }
    void operator()(EVP_PKEY* freed) const noexcept { ::EVP_PKEY_free(freed); }
    void operator()(STACK_OF(X509) * freed) const noexcept { sk_X509_pop_free(freed, &::X509_free); }
  };
  struct loaded {
    std::unique_ptr<X509, free_it> certificate;
    std::unique_ptr<EVP_PKEY, free_it> key;
    std::unique_ptr<STACK_OF(X509), free_it> chain;  ///< nullptr if the file has none
  };
  using indices = std::vector<std::size_t>;

  /// nullptr if no certificate is for the name.
  [[nodiscard]] const indices* find(std::string_view host) const;

  std::vector<loaded> certificates_;
  std::unordered_map<std::string, indices> by_name_;  ///< "*.example.org" for a wildcard
  std::string default_name_;                          ///< the first name of the default; empty if it has none
};

}  // namespace tare::net::tls
