#pragma once

// How many processors this process may use, for `runtime_options::shards = 0`.

#include <optional>
#include <string>

namespace tare::detail {

/// At least 1: the number of processors that the thread may run on, or that the quota of the control group is
/// equivalent to, whichever is smaller.
[[nodiscard]] unsigned usable_processors();

/// The quota of the process's control group and those above it, of cgroup v2 or v1, in processors, rounded up; nullopt
/// if there is none, or it cannot be read. `root` is the folder of the system's files; tests use their own.
[[nodiscard]] std::optional<unsigned> quota_in_processors(const std::string& root);

}  // namespace tare::detail
