#pragma once

// The keys with which a server seals its session tickets.
//
// A ticket contains the secrets of a session, so anyone who gets its key can read what was sent under TLS 1.2.
// Therefore the key is replaced after a period. Tickets sealed with the previous key are still accepted for a while,
// and replaced; then the key is overwritten. Nothing else in the process knows a key. (OpenSSL also creates keys for
// each context, which are never used.) 176 bytes, shared by all shards.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

namespace tare::net::tls {

/// One key. The destructor overwrites it.
struct ticket_key {
  std::array<std::uint8_t, 16> name{};  ///< the tickets contain it
  std::array<std::uint8_t, 32> cipher{};
  std::array<std::uint8_t, 32> mac{};

  ticket_key() noexcept = default;
  ticket_key(const ticket_key&) noexcept = default;
  ticket_key& operator=(const ticket_key&) noexcept = default;
  ticket_key(ticket_key&&) noexcept = default;
  ticket_key& operator=(ticket_key&&) noexcept = default;
  ~ticket_key();

  /// False if OpenSSL has no random numbers.
  [[nodiscard]] bool make() noexcept;
};

class ticket_keys {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  /// Which key a ticket is sealed with.
  enum class age : std::uint8_t { unknown, current, previous };

  /// A key seals tickets for a period, and opens them for another `previous_lifetime`, which is at most a period.
  ticket_keys(std::chrono::nanoseconds period, std::chrono::nanoseconds previous_lifetime) noexcept;
  void set_times(std::chrono::nanoseconds period, std::chrono::nanoseconds previous_lifetime) noexcept;

  /// The key to seal a ticket with now. False if OpenSSL has no random numbers.
  [[nodiscard]] bool take_current(ticket_key& key, time_point now) noexcept;
  /// The key with this name, to open a ticket with.
  [[nodiscard]] age find(std::span<const std::uint8_t, 16> name, ticket_key& key, time_point now) noexcept;
  /// Erases expired keys. Returns the time until another key may expire.
  std::chrono::nanoseconds erase_old(time_point now) noexcept;
  /// The number of keys.
  [[nodiscard]] std::size_t count() noexcept;

 private:
  void advance(time_point now) noexcept;

  std::mutex lock_;  ///< protects all below
  std::chrono::nanoseconds period_;
  std::chrono::nanoseconds previous_lifetime_;
  std::optional<ticket_key> current_;
  std::optional<ticket_key> previous_;
  time_point current_until_{};
  time_point previous_until_{};
};

}  // namespace tare::net::tls
