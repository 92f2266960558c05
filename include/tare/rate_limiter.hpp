#pragma once

// Limits how often something may happen for each of many keys: requests of a client, messages of a user.
//
//   tare::rate_limiter<std::uint64_t> per_client({.per_second = 10, .burst = 20});
//   const auto wait = per_client.try_take(tare::net::client_key(peer));
//   if (wait > 0s) co_return co_await refuse(wait);          // 429, with Retry-After
//
// Each key may do `burst` things at once after a pause, and `per_second` things per second in the long run. One point
// in time per key suffices for that. Source: the generic cell rate algorithm (ITU-T I.371, annex A).
//
// The table never grows. A key that has not been used for a while needs no entry; if the table is full of others, the
// one that would be forgotten soonest is forgotten now, and may at worst do its burst again.
//
// Bytes: `max_bytes`, allocated when it is made; 16 for a key of 8 bytes.

#include <tare/sleep.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace tare {

struct rate_limit {
  double per_second = 10;    ///< above 0, at most 1,000,000
  std::uint32_t burst = 10;  ///< at least 1
  std::size_t max_bytes = std::size_t{1} << 20U;
};

namespace detail {

/// What is permitted to one key, of which only one thing is remembered: when it may do its whole burst again.
class rate_rule {
 public:
  /// Throws std::invalid_argument for a limit that is out of range.
  explicit rate_rule(const rate_limit& limit);

  /// 0, and advances `full_at`; or the time that is missing. Throws std::invalid_argument if `count` exceeds the
  /// burst.
  [[nodiscard]] std::chrono::nanoseconds take(std::int64_t& full_at, std::int64_t present, std::uint32_t count) const;

 private:
  std::int64_t interval_;  ///< nanoseconds for one
  std::uint32_t burst_;
};

/// Which of the table's rows a key belongs to. `seed` makes that unpredictable for clients.
[[nodiscard]] std::size_t row_of(std::size_t hash, std::uint64_t seed, std::size_t rows) noexcept;
[[nodiscard]] std::uint64_t random_seed() noexcept;

}  // namespace detail

/// Belongs to one shard. With several shards, make one for each, with its part of the rate.
template <class Key, class Hash = std::hash<Key>>
class rate_limiter {
  static_assert(std::is_trivially_copyable_v<Key>,
                "the keys of a rate_limiter must not own memory, or its table would not be bounded: use a number, an "
                "address, or a hash of the text");

 public:
  /// **Errors** Throws std::bad_alloc; std::invalid_argument if the limit is out of range or `max_bytes` is not enough
  /// for one row of the table.
  explicit rate_limiter(const rate_limit& limit, Hash hash = {})
      : rule_(limit), hash_(std::move(hash)), entries_(rows(limit.max_bytes) * row_entries) {}

  /// Counts `count` for this key if that is permitted now, and returns 0. Otherwise counts nothing and returns the time
  /// after which it will be permitted, if the key does nothing else until then.
  ///
  /// **Errors** Throws std::invalid_argument if `count` exceeds the burst, because it would never be permitted.
  /// **Cancellation** Does not wait. **Threads** The limiter's shard. **Bytes** None.
  [[nodiscard("0 means that it is permitted")]] std::chrono::nanoseconds try_take(const Key& key,
                                                                                  std::uint32_t count = 1) {
    const std::int64_t present = now().time_since_epoch().count();
    entry& found = find(key, present);
    const bool is_known = found.key == key;
    entry changed = is_known ? found : entry{.key = key};
    const auto missing = rule_.take(changed.full_at, present, count);
    if (missing.count() != 0) return missing;
    if (!is_known && found.full_at > present) ++forgotten_;
    found = changed;
    return missing;
  }

  /// Number of keys that the table can hold.
  [[nodiscard]] std::size_t capacity() const noexcept { return entries_.size(); }
  /// How often a key has been forgotten early, because the table was full: if this grows, give it more bytes.
  [[nodiscard]] std::uint64_t forgotten() const noexcept { return forgotten_; }

 private:
  struct entry {
    Key key{};
    std::int64_t full_at = 0;
  };
  /// A key belongs to one row of the table and is in any of its entries.
  static constexpr std::size_t row_entries = 8;

  static std::size_t rows(std::size_t max_bytes) {
    const std::size_t count = max_bytes / (sizeof(entry) * row_entries);
    if (count == 0) throw std::invalid_argument("tare::rate_limiter: max_bytes is not enough for 8 keys");
    return count;
  }

  /// The entry of the key; otherwise the one to replace.
  entry& find(const Key& key, std::int64_t present) {
    const std::size_t row = detail::row_of(hash_(key), seed_, entries_.size() / row_entries);
    const std::span<entry> places = std::span(entries_).subspan(row * row_entries, row_entries);
    const auto same =
        std::ranges::find_if(places, [&](const entry& each) { return each.full_at > present && each.key == key; });
    return same != places.end() ? *same : *std::ranges::min_element(places, {}, &entry::full_at);
  }

  detail::rate_rule rule_;
  [[no_unique_address]] Hash hash_;
  std::uint64_t seed_ = detail::random_seed();
  std::vector<entry> entries_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace tare
