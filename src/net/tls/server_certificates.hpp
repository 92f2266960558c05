#pragma once

// The certificates of a server, by the host names that they are for.

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

/// In lowercase, without a dot at its end: how names are compared.
[[nodiscard]] std::string normal_name(std::string_view host);

class server_certificates {
 public:
  /// Reads one with its chain and key. The first is the default.
  /// **Errors**: OpenSSL's, and the system's for files; invalid_argument if it is for no host name and not the first.
  [[nodiscard]] std::expected<void, context_error> add(const certificate_files& files);

  [[nodiscard]] std::size_t size() const noexcept { return certificates_.size(); }
  /// Whether one is for this name, other than by being the default.
  [[nodiscard]] bool knows(std::string_view host) const;
  /// Has the connection show those that are for the name, or the default. False if OpenSSL has no memory.
  [[nodiscard]] bool use(SSL* connection, std::string_view host) const;
  /// Likewise of all connections of the context.
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

  /// nullptr if none is for the name.
  [[nodiscard]] const indices* find(std::string_view host) const;

  std::vector<loaded> certificates_;
  std::unordered_map<std::string, indices> by_name_;  ///< "*.example.org" for a wildcard
  std::string default_name_;                          ///< the first one of the default; empty if it is for none
};

}  // namespace tare::net::tls
