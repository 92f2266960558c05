#pragma once

// The options of a TLS context: certificates, trusted authorities, versions, ciphers, session tickets.
//
//   const tare::net::tls::server_options site{
//       .certificate = "/etc/tls/www.pem", .key = "/etc/tls/www.key",           // the default
//       .min_version = tare::net::tls::protocol::tls_1_3,
//       .more_certificates = {{.certificate = "/etc/tls/api.pem", .key = "/etc/tls/api.key"}}};
//
// By default: TLS 1.2 and 1.3; under TLS 1.2 only ECDHE with AES-GCM or ChaCha20-Poly1305, which gives forward secrecy
// and excludes CBC; the server's order of ciphers, except that ChaCha20 is used for clients that put it first, usually
// because they have no AES in hardware; session tickets whose keys are replaced and erased.
//
// Plain values: `context` (tls.hpp) checks them.

#include <chrono>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace tare::net::tls {

enum class protocol : std::uint16_t { tls_1_2 = 0x0303, tls_1_3 = 0x0304 };

/// A chain and its key, as PEM files.
struct certificate_files {
  std::string certificate;  ///< the chain, the server's own first
  std::string key;          ///< its private key
};

struct client_options {
  bool verify = true;                  ///< false: accept any certificate
  std::string authorities = {};        ///< a PEM file of certificates to trust instead of the system's
  std::vector<std::string> alpn = {};  ///< protocols, best first, such as "http/1.1"
  std::string certificate = {};        ///< our own chain, if the server requests one: a PEM file
  std::string key = {};                ///< its private key
  bool kernel_tls = false;             ///< see server_options
  protocol min_version = protocol::tls_1_2;
  protocol max_version = protocol::tls_1_3;
  std::string ciphers = {};  ///< see server_options
  std::string suites = {};   ///< see server_options
  /// Makes `stream::peer_certificate` return the server's. Each connection then keeps a copy of the certificate.
  bool keep_server_certificate = false;
};

/// Whether clients must present a certificate where `client_authorities` is set. An invalid one is refused either way.
enum class client_certificates : std::uint8_t { required, optional };

struct server_options {
  std::string certificate;              ///< the chain, the server's own first: a PEM file
  std::string key;                      ///< its private key
  std::vector<std::string> alpn = {};   ///< protocols, best first; a client that supports none of them is refused
  std::string client_authorities = {};  ///< PEM; if set, clients are asked for a certificate issued by one of them
  /// If the kernel supports TLS, it encrypts the records; OpenSSL's state then stays with each connection.
  bool kernel_tls = false;
  protocol min_version = protocol::tls_1_2;
  protocol max_version = protocol::tls_1_3;
  /// Of TLS 1.2, best first, in OpenSSL's format (openssl-ciphers(1)). Empty: ECDHE with AES-GCM or ChaCha20-Poly1305.
  std::string ciphers = {};
  /// Of TLS 1.3, best first: "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256". Empty: OpenSSL's.
  std::string suites = {};
  /// Used for clients that request one of the host names in them, exact or with a wildcard ("*.example.org" matches one
  /// label). An exact name takes precedence. Several may have the same name, such as an RSA and an ECDSA certificate;
  /// the client gets one that it can verify. All other clients get `certificate`.
  std::vector<certificate_files> more_certificates = {};
  /// Refuses clients that request a name of no certificate with the alert unrecognized_name, instead of presenting
  /// `certificate`. Clients that request no name are not refused.
  bool refuse_unknown_names = false;
  client_certificates client_certificate = client_certificates::required;  ///< if `client_authorities` is set
  /// How long after its full handshake a session can be resumed; at most 7 days.
  std::chrono::seconds ticket_lifetime = std::chrono::hours(2);
  /// How long a key encrypts tickets. Tickets under the previous key are still accepted, and renewed, for
  /// `ticket_lifetime` or for this long, whichever is shorter; then the key is erased. 0: no tickets.
  std::chrono::seconds ticket_key_period = std::chrono::hours(12);
};

/// Why a context could not be made. Compares and converts like a std::error_code; `message` includes the name of the
/// file or option concerned.
class context_error : public std::error_code {
 public:
  explicit context_error(std::error_code code, std::string file = {}) : std::error_code(code), file_(std::move(file)) {}

  /// The file, or the name of the option ("ciphers"). Empty if the error concerns neither.
  [[nodiscard]] const std::string& file() const noexcept { return file_; }
  [[nodiscard]] std::string message() const {
    return file_.empty() ? std::error_code::message() : file_ + ": " + std::error_code::message();
  }

 private:
  std::string file_;
};

}  // namespace tare::net::tls
