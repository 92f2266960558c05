#pragma once

// The keys that a server seals its session tickets with.
//
// A ticket holds the secrets of a session, so whoever gets its key reads what was said under TLS 1.2. The key is
// therefore replaced after a period. Tickets under the one before are still opened for a while, and replaced; then it
// is overwritten. Nothing else of the process knows a key: OpenSSL makes some of its own for each context, which are
// never used. 176 bytes, shared by all shards.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

namespace tare::net::tls {

/// One key, overwritten when it is destroyed.
struct ticket_key {
  std::array<std::uint8_t, 16> name{};  ///< which stands in the ticket
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

  /// A key seals for a period, and opens for `previous_lifetime` after that, which is at most a period.
  ticket_keys(std::chrono::nanoseconds period, std::chrono::nanoseconds previous_lifetime) noexcept;
  void set_times(std::chrono::nanoseconds period, std::chrono::nanoseconds previous_lifetime) noexcept;

  /// What to seal a ticket with now. False if OpenSSL has no random numbers.
  [[nodiscard]] bool take_current(ticket_key& into, time_point now) noexcept;
  /// What to open a ticket with whose key has this name.
  [[nodiscard]] age find(std::span<const std::uint8_t, 16> name, ticket_key& into, time_point now) noexcept;
  /// Erases keys whose time is over. How long until another's may be.
  std::chrono::nanoseconds erase_old(time_point now) noexcept;
  /// How many there are.
  [[nodiscard]] std::size_t count() noexcept;

 private:
  void advance(time_point now) noexcept;

  std::mutex lock_;  ///< of all below
  std::chrono::nanoseconds period_;
  std::chrono::nanoseconds previous_lifetime_;
  std::optional<ticket_key> current_;
  std::optional<ticket_key> previous_;
  time_point current_until_{};
  time_point previous_until_{};
};

}  // namespace tare::net::tls
