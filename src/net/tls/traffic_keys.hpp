#pragma once

// Protects the records of one direction of a TLS 1.3 connection (RFC 8446, 5.2 and 7.3) after the handshake: a secret,
// the key and the base of the nonce that are derived from it, and the number of the next record. OpenSSL provides the
// ciphers and the derivation. 104 bytes.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace tare::net::tls {

/// The cipher suites of TLS 1.3 that OpenSSL offers by default.
enum class cipher_suite : std::uint8_t { none, aes_128_gcm_sha256, aes_256_gcm_sha384, chacha20_poly1305_sha256 };

/// `none` for other suites. `number` is that of the IANA registry, such as 0x1301.
[[nodiscard]] cipher_suite suite_of(std::uint16_t number) noexcept;

enum class content_type : std::uint8_t {
  none = 0,  ///< only padding, which is not allowed
  change_cipher_spec = 20,
  alert = 21,
  handshake = 22,
  application_data = 23
};

/// The content of a record. The bytes are in the record's place.
struct opened_record {
  content_type type;
  std::span<std::byte> bytes;
};

/// Overwrites what the cipher that the calling thread uses for the suite still has of its last key.
void forget_last_key(cipher_suite suite) noexcept;

class traffic_keys {
 public:
  static constexpr std::size_t header_bytes = 5;
  static constexpr std::size_t max_plain_bytes = 16384;
  static constexpr std::size_t max_record_bytes = header_bytes + max_plain_bytes + 256;
  /// Header, type, tag.
  static constexpr std::size_t overhead_bytes = header_bytes + 1 + 16;
  /// After this many records, which is below the limit of AES-GCM (RFC 8446, 5.5), the keys must be replaced.
  static constexpr std::uint64_t max_records = std::uint64_t{1} << 24U;

  traffic_keys() noexcept = default;
  ~traffic_keys();
  traffic_keys(const traffic_keys&) = delete;
  traffic_keys& operator=(const traffic_keys&) = delete;

  /// False if it is too long for every suite.
  bool set_secret(std::span<const std::uint8_t> secret) noexcept;
  void set_sequence(std::uint64_t next) noexcept { sequence_ = next; }
  void count_record() noexcept { ++sequence_; }
  [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }

  /// Derives key and nonce from the secret. False if the secret does not fit the suite, or OpenSSL fails.
  [[nodiscard]] bool derive(cipher_suite suite) noexcept;
  /// Switches to the next generation of keys. Its records are counted from 0.
  [[nodiscard]] bool update(cipher_suite suite) noexcept;

  /// Makes a record from at most `max_plain_bytes` in `into`, which has room for `overhead_bytes` more. Returns its
  /// size; 0 if OpenSSL fails.
  [[nodiscard]] std::size_t seal(cipher_suite suite, content_type type, std::span<const std::byte> plain,
                                 std::span<std::byte> buffer) noexcept;
  /// Decrypts a whole record in place. std::nullopt if it has been tampered with.
  [[nodiscard]] std::optional<opened_record> open(cipher_suite suite, std::span<std::byte> record) noexcept;

 private:
  [[nodiscard]] std::array<std::uint8_t, 12> nonce() const noexcept;

  std::uint64_t sequence_ = 0;
  std::array<std::uint8_t, 48> secret_{};
  std::array<std::uint8_t, 32> key_{};
  std::array<std::uint8_t, 12> iv_{};
  std::uint8_t secret_bytes_ = 0;
};
static_assert(sizeof(traffic_keys) == 104);

}  // namespace tare::net::tls
