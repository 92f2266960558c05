#pragma once

// The contents of an X.509 certificate: names, validity, fingerprint.
//
//   if (const auto client = secure.peer_certificate()) log("{} {}", client->subject, client->sha256);

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tare::net::tls {

/// Names are exactly as in the certificate, including zero bytes.
struct certificate {
  std::string subject;                 ///< RFC 2253: "CN=alice,O=Example"
  std::string issuer;                  ///< the same
  std::string common_name;             ///< the last in the subject, or empty
  std::string serial;                  ///< hexadecimal
  std::vector<std::string> dns_names;  ///< of `subjectAltName`, like the next three
  std::vector<std::string> emails;
  std::vector<std::string> uris;       ///< such as "spiffe://example.org/billing"
  std::vector<std::string> addresses;  ///< "192.0.2.1", "2001:db8::1"
  std::chrono::system_clock::time_point not_before;
  std::chrono::system_clock::time_point not_after;
  std::string sha256;  ///< the fingerprint: of `der`, in lowercase hexadecimal
  std::vector<std::byte> der;
};

/// **Errors** Nothing if the bytes are not a certificate, the whole of it and nothing behind it. Throws
/// std::bad_alloc.
/// **Cancellation** Does not wait. **Threads** Any. **Bytes** The result.
[[nodiscard]] std::optional<certificate> parse_certificate(std::span<const std::byte> der);

}  // namespace tare::net::tls
