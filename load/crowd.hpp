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

/// What came of doing something with each of many connections.
struct tally {
  std::size_t succeeded = 0;
  std::size_t failed = 0;
  failure first;  ///< The first failure, in words; empty if there was none.

  void add(const std::expected<void, failure>& outcome);
};

struct crowd_options {
  std::size_t at_a_time = 256;                                     ///< Exchanges under way at once.
  unsigned sources = 1;                                            ///< Loopback addresses to connect from.
  std::chrono::nanoseconds time_limit = std::chrono::seconds(10);  ///< For each connect and exchange.
};

/// Belongs to the shard that it is used on.
class crowd {
 public:
  crowd(target what, crowd_options options) : what_(std::move(what)), options_(options) {}

  /// Opens so many more and has an exchange with each, of which those that succeed are kept. Gives up early when
  /// nothing succeeds at all. `progress` is called with the number of those done.
  [[nodiscard]] task<tally> open(std::size_t count, const std::function<void(std::size_t)>& progress = {});

  /// Another exchange with each; those that fail are closed.
  [[nodiscard]] task<tally> ask_all(const std::function<void(std::size_t)>& progress = {});

  void close_all() noexcept { connections_.clear(); }
  [[nodiscard]] std::size_t size() const noexcept { return connections_.size(); }

 private:
  template <class One>
  task<tally> for_each(std::size_t count, One one, const std::function<void(std::size_t)>& progress);

  target what_;
  crowd_options options_;
  std::vector<connection> connections_;
};

}  // namespace tare::load
