#include "net/tls/ticket_keys.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>

namespace tare::net::tls {

ticket_key::~ticket_key() { ::OPENSSL_cleanse(this, sizeof(*this)); }

bool ticket_key::make() noexcept {
  return ::RAND_bytes(name.data(), static_cast<int>(name.size())) == 1 &&
         ::RAND_priv_bytes(cipher.data(), static_cast<int>(cipher.size())) == 1 &&
         ::RAND_priv_bytes(mac.data(), static_cast<int>(mac.size())) == 1;
}

ticket_keys::ticket_keys(std::chrono::nanoseconds period, std::chrono::nanoseconds previous_lifetime) noexcept
    : period_(period), previous_lifetime_(std::min(period, previous_lifetime)) {}

// An existing key expires when it was going to expire, or sooner.
void ticket_keys::set_times(std::chrono::nanoseconds period, std::chrono::nanoseconds previous_lifetime) noexcept {
  const std::scoped_lock guard(lock_);
  if (period < period_) current_until_ -= period_ - period;
  period_ = period;
  previous_lifetime_ = std::min(period, previous_lifetime);
}

void ticket_keys::advance(time_point now) noexcept {
  if (previous_ && now >= previous_until_) previous_.reset();
  if (!current_ || now < current_until_) return;
  // It may have expired long ago if no ticket was needed in the meantime.
  if (now < current_until_ + previous_lifetime_) {
    previous_ = current_;
    previous_until_ = current_until_ + previous_lifetime_;
  }
  current_.reset();
}

bool ticket_keys::take_current(ticket_key& key, time_point now) noexcept {
  const std::scoped_lock guard(lock_);
  advance(now);
  if (!current_) {
    ticket_key made;
    if (!made.make()) return false;
    current_ = made;
    current_until_ = now + period_;
  }
  key = *current_;
  return true;
}

ticket_keys::age ticket_keys::find(std::span<const std::uint8_t, 16> name, ticket_key& key, time_point now) noexcept {
  const std::scoped_lock guard(lock_);
  advance(now);
  if (current_ && std::ranges::equal(current_->name, name)) {
    key = *current_;
    return age::current;
  }
  if (previous_ && std::ranges::equal(previous_->name, name)) {
    key = *previous_;
    return age::previous;
  }
  return age::unknown;
}

std::chrono::nanoseconds ticket_keys::erase_old(time_point now) noexcept {
  constexpr std::chrono::nanoseconds least = std::chrono::seconds(1);
  const std::scoped_lock guard(lock_);
  advance(now);
  if (previous_) return std::max(previous_until_ - now, least);
  if (current_) return std::max(current_until_ + previous_lifetime_ - now, least);
  return std::max(period_, least);
}

std::size_t ticket_keys::count() noexcept {
  const std::scoped_lock guard(lock_);
  return std::size_t{current_.has_value()} + std::size_t{previous_.has_value()};
}

}  // namespace tare::net::tls
