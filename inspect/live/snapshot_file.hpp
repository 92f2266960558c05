#pragma once

// A snapshot as JSON, with schema 1 (docs/tools.md): what `tare live --json` and `tare snapshot` write.

#include "base/error.hpp"
#include "inspect/live/snapshot.hpp"

#include <string>
#include <string_view>

namespace tare::inspect {

[[nodiscard]] std::string snapshot_json(const live_snapshot& snapshot);

/// Reads a snapshot. The error names `name` and says what is wrong with the file: not JSON, another schema, a missing
/// or impossible value.
[[nodiscard]] base::result<live_snapshot> parse_snapshot(std::string_view text, const std::string& name);

}  // namespace tare::inspect
