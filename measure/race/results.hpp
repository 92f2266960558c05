#pragma once

// The results of a race, and their file format. docs/tools.md describes the keys.

#include "base/error.hpp"
#include "base/proc/machine.hpp"
#include "measure/weigh/summary.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tare::measure {

/// A runtime of the race, whether or not it could run.
struct race_peer {
  std::string name;
  std::string title;
  std::string language;
  std::string version;
  bool subject = false;
  bool floor = false;
  std::string absent;  ///< why it was omitted; empty if it was not
  std::string failed;  ///< why it could not be built; empty if it could
};

/// One peer in one workload.
struct race_entry {
  std::string peer;
  std::string workload;
  std::vector<sample> points;      ///< in order of n; each figure is the median of the repeats
  std::optional<slope> weight;     ///< bytes per task between the first and the last of these
  std::vector<std::string> notes;  ///< what was omitted, such as numbers of tasks that exceed the memory
  std::string failed;              ///< why it is incomplete; empty if it is not

  /// The point at that number of tasks, or null.
  [[nodiscard]] const sample* at(std::uint64_t n) const;
};

struct race_results {
  std::string date;          ///< "2026-01-31"
  std::string commit;        ///< of the measured tree, with "-dirty" if it had changes; empty if unknown
  bool connections = false;  ///< connections were weighed: the workloads are their kinds
  bool quick = false;
  unsigned repeats = 0;
  double seconds = 0;  ///< how long the race took
  base::machine where;
  std::vector<race_peer> peers;
  std::vector<race_entry> entries;

  [[nodiscard]] const race_entry* find(std::string_view peer, std::string_view workload) const;
  [[nodiscard]] const race_peer* find(std::string_view peer) const;
};

/// The value of the key "schema" in the file. It changes when a key changes its meaning or is removed.
inline constexpr int race_schema = 1;

[[nodiscard]] std::string to_json(const race_results& results);

/// `file` is for messages. Files of another schema are refused with a line that says what to do.
[[nodiscard]] base::result<race_results> parse_results(std::string_view text, std::string_view file);
[[nodiscard]] base::result<race_results> read_results(const std::filesystem::path& file);

}  // namespace tare::measure
