#pragma once

// What `tare weigh` found, as a table, a sentence, JSON and CSV.

#include "measure/weigh/summary.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tare::cli {

/// One program and what was measured of it.
struct weighed_program {
  std::string name;
  std::string version;
  bool connections = false;            ///< idle connections were weighed, not tasks
  bool subject = false;                ///< the others are compared with the first of these
  std::vector<measure::series> runs;   ///< maybe incomplete
  std::optional<base::error> problem;  ///< why it is incomplete, or was not measured at all
};

struct weigh_report {
  std::vector<weighed_program> programs;
  unsigned runs = 0;  ///< that were asked for
};

/// A row for each program: its weight, and the RSS at each number of tasks.
[[nodiscard]] std::string comparison_table(const weigh_report& report);
/// A row for each number of tasks, or connections, of one program, and its weight.
[[nodiscard]] std::string program_table(const weighed_program& program);
/// One sentence that compares the first subject with the programs that are none; empty where there is nothing to
/// compare.
[[nodiscard]] std::string conclusion(std::span<const weighed_program> programs);

/// The format is described in docs/tools.md; "schema" is 1.
[[nodiscard]] std::string to_json(const weigh_report& report);
/// A row for each sample, with a head.
[[nodiscard]] std::string to_csv(std::span<const weighed_program> programs);

}  // namespace tare::cli
