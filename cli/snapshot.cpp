#include "cli/snapshot.hpp"

#include "cli/error.hpp"
#include "cli/live_report.hpp"
#include "cli/live_target.hpp"
#include "cli/output_file.hpp"
#include "inspect/live/snapshot_file.hpp"

#include <fmt/format.h>

#include <memory>
#include <string>

namespace tare::cli {
namespace {

struct snapshot_options {
  live_target_options target;
  std::string output;
};

int run(const snapshot_options& options) {
  auto file = output_file::open(options.output);
  if (!file) return complain(file.error());
  auto target = open_target(options.target, true);
  if (!target) return complain(target.error());
  const auto taken = target->snapshot();
  if (!taken) return complain(taken.error());
  for (const auto& note : taken->notes) complain("note: " + note);
  if (const auto written = file->write(inspect::snapshot_json(*taken)); !written) return complain(written.error());
  if (!file->is_standard_output()) fmt::print("{}", live_head(*taken));
  return finish_output(done);
}

}  // namespace

std::function<int()> add_snapshot(CLI::App& app) {
  CLI::App* snapshot =
      app.add_subcommand("snapshot", "Save where all coroutines of a process are suspended, for tare compare");
  snapshot->footer(
      "Exit status: 0 when it was taken, 1 when the process or the file could not be read or written, 2 for wrong\n"
      "options or a process that does not exist.");
  auto options = std::make_shared<snapshot_options>();
  add_target_options(*snapshot, options->target);
  snapshot->add_option("-o,--output", options->output, "The file to write; - is standard output")
      ->required()
      ->type_name("FILE");
  return [options] { return run(*options); };
}

}  // namespace tare::cli
