#pragma once

// What the coroutines of the service wait for.

#include <tare/await_table.hpp>
#include <tare/mutex.hpp>
#include <tare/shard_watch.hpp>
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
  /// A snapshot at most a second old: however often it is called, the shards are walked at most once per second.
  [[nodiscard]] tare::task<std::shared_ptr<const tare::task_snapshot>> look();

  /// The same with the names of the coroutines and the lines of their awaits: `/debug/tasks`, schema 1.
  [[nodiscard]] tare::task<nlohmann::json> describe();

 private:
  /// Where the frames of a group are suspended, as far as known: the await, or else the coroutine.
  struct place {
    std::string function;
    std::string file;
    unsigned line = 0;
    bool is_await = false;
  };

  [[nodiscard]] tare::task<> read_awaits();
  /// Reads the names that are not in the await table and not yet known. Under the lock.
  [[nodiscard]] tare::task<> read_names(const tare::task_snapshot& of);
  [[nodiscard]] place place_of(const tare::frame_group& group) const;
  [[nodiscard]] nlohmann::json described(const tare::frame_group& of) const;
  void keep(std::vector<std::string>& notes);

  tare::mutex guard_;
  tare::await_table awaits_;
  bool has_awaits_ = false;  ///< they have been read, because lines were requested
  std::shared_ptr<const tare::task_snapshot> latest_;
  std::chrono::steady_clock::time_point taken_;
  std::unordered_map<const void*, tare::code_name> names_;  ///< names of code addresses; each is read only once
  std::vector<std::string> notes_;                          ///< why names are unknown
};

/// Prints which coroutine holds up its shard. Called on a thread that runs no shard.
void report_long_slice(const tare::long_slice& found);

}  // namespace service
