#pragma once

// Sources of the weight of a task: the results of `tare weigh` and of `tare race`.

#include "base/error.hpp"
#include "measure/plan/plan.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace tare::measure {

/// Which program of a file, and in which workload; the latter only matters for a race.
struct weight_choice {
  std::string program;  ///< empty: the only one of the file, or the first subject of a race
  std::string workload = "empty";
};

/// Reads the weight from the text of a results file; `file` is for messages.
[[nodiscard]] base::result<task_weight> parse_weight(std::string_view text, std::string_view file,
                                                     const weight_choice& which);
[[nodiscard]] base::result<task_weight> read_weight(const std::filesystem::path& file, const weight_choice& which);

}  // namespace tare::measure
