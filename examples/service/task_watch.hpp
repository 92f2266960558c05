#pragma once

// What the coroutines of the service wait for: as JSON for people, as metrics for graphs.

#include <tare/mutex.hpp>
#include <tare/snapshot.hpp>
#include <tare/symbols.hpp>
#include <tare/task.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace service {

/// Any shard.
class task_watch {
 public:
  /// A snapshot that is at most a second old: however often somebody asks, the shards are looked through once a second.
  [[nodiscard]] tare::task<std::shared_ptr<const tare::task_snapshot>> look();

  /// Likewise with the names of the coroutines: `/debug/tasks`, schema 1.
  [[nodiscard]] tare::task<nlohmann::json> describe();

 private:
  /// Reads the names that are not known yet. Under the lock.
  [[nodiscard]] tare::task<> read_names(const tare::task_snapshot& of);
  [[nodiscard]] tare::code_name name_of(const void* resume) const;

  tare::mutex guard_;
  std::shared_ptr<const tare::task_snapshot> latest_;
  std::chrono::steady_clock::time_point taken_;
  std::unordered_map<const void*, tare::code_name> names_;  ///< of code; it is only read once
  std::vector<std::string> notes_;                          ///< why names are not known
};

/// Gauges of a snapshot, in the text format of Prometheus.
void write_tasks(std::string& text, const tare::task_snapshot& seen);

}  // namespace service
