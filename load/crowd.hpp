#pragma once

// Many connections to one server at the same time.

#include "load/connection.hpp"
#include "load/target.hpp"

#include <tare/task.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

namespace tare::load {

/// The result of an operation on many connections.
struct tally {
  std::size_t succeeded = 0;
  std::size_t failed = 0;
  failure first;  ///< the first failure as text; empty if there was none

  void add(const std::expected<void, failure>& outcome);
};

struct crowd_options {
  std::size_t at_a_time = 256;                                     ///< concurrent exchanges
  unsigned sources = 1;                                            ///< loopback addresses to connect from
  std::chrono::nanoseconds time_limit = std::chrono::seconds(10);  ///< for each connect and exchange
};

/// Belongs to the shard on which it is used.
class crowd {
 public:
  crowd(target what, crowd_options options) : what_(std::move(what)), options_(options) {}

  /// Opens more connections and does on each what its kind does first; keeps those that succeed. Gives up early if none
  /// succeeds. `progress` is called with the number completed.
  [[nodiscard]] task<tally> open(std::size_t count, const std::function<void(std::size_t)>& progress = {});

  /// Does it once more on each; closes those that fail.
  [[nodiscard]] task<tally> ask_all(const std::function<void(std::size_t)>& progress = {});

  /// Checks that all are still open, and have received nothing that was not asked for.
  [[nodiscard]] tally look_at_all();

  void close_all() noexcept { connections_.clear(); }
  [[nodiscard]] std::size_t size() const noexcept { return connections_.size(); }

 private:
  template <class One>
  task<tally> for_each(std::size_t count, One each, const std::function<void(std::size_t)>& progress);

  target what_;
  crowd_options options_;
  std::vector<connection> connections_;
};

}  // namespace tare::load
