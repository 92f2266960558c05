#pragma once

// How long bytes take from one machine to another, and whether they arrive.

#include "sim/random.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace tare::sim::detail {

struct machine;

/// One direction between two machines.
struct link_quality {
  std::int64_t latency = 200'000;     ///< nanoseconds
  std::int64_t jitter = 100'000;      ///< at most this much is added
  std::int64_t bytes_per_second = 0;  ///< 0: no limit
  std::size_t buffer_bytes = std::size_t{256}
                             << 10U;  ///< what a connection holds in transit, unread bytes at the receiver included
  std::uint64_t lost_datagrams = 0;   ///< one in so many; 0: none
};

class network {
 public:
  explicit network(std::uint64_t seed);

  [[nodiscard]] link_quality& between(const machine& from, const machine& to);
  void cut(const machine& from, const machine& to) { cut_.insert({&from, &to}); }
  void mend(const machine& from, const machine& to) { cut_.erase({&from, &to}); }
  void mend_all() { cut_.clear(); }
  [[nodiscard]] bool is_cut(const machine& from, const machine& to) const { return cut_.contains({&from, &to}); }

  /// Nanoseconds from one machine to another.
  [[nodiscard]] std::int64_t delay(const machine& from, const machine& to);
  /// Nanoseconds that `bytes` arrive after what was sent before them.
  [[nodiscard]] std::int64_t spacing(const machine& from, const machine& to, std::size_t bytes);
  /// The size of the next segment of `bytes` that are left to send.
  [[nodiscard]] std::size_t segment_of(std::size_t bytes);
  /// How many of `bytes` that fit into the buffers a call takes.
  [[nodiscard]] std::size_t accepted_of(std::size_t bytes);
  [[nodiscard]] random_sequence& random() noexcept { return random_; }

  link_quality usual;

 private:
  /// How a seed cuts what is sent.
  enum class cutting : std::uint8_t { rarely, often, into_bytes };

  random_sequence random_;
  cutting cutting_;
  std::map<std::pair<const machine*, const machine*>, link_quality> links_;
  std::set<std::pair<const machine*, const machine*>> cut_;
};

}  // namespace tare::sim::detail
