#pragma once

// How many processors this process may use: what `runtime_options::shards = 0` means.

#include <optional>
#include <string>

namespace tare::detail {

/// At least 1: those that the thread may run on, or as many as the quota of the control group gives the time of, if
/// those are fewer.
[[nodiscard]] unsigned usable_processors();

/// The quota of the process's control group and those above it, of cgroup v2 or v1, in processors, rounded up; nullopt
/// if there is none, or it cannot be read. `root` is where the system's files are; tests have their own.
[[nodiscard]] std::optional<unsigned> quota_in_processors(const std::string& root);

}  // namespace tare::detail
