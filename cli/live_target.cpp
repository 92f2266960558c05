#include "cli/live_target.hpp"

#include <chrono>
#include <limits>

namespace tare::cli {

void add_target_options(CLI::App& to, live_target_options& into) {
  auto* pid = to.add_option("pid", into.pid, "The process to look at")
                  ->type_name("PID")
                  ->check(CLI::Range(std::int64_t{1}, std::int64_t{std::numeric_limits<int>::max()}));
  auto* core = to.add_option("--core", into.core, "Look at this core file instead")->type_name("FILE")->excludes(pid);
  to.add_option("--exe", into.program, "The program that the core file is of, if it is not where it was")
      ->type_name("BINARY")
      ->needs(core);
  constexpr double longest = 60'000;
  to.add_option(
        "--pause", into.pause_ms,
        "Stop the process while it is read, and let it go on after so many milliseconds even if not all was read")
      ->type_name("MS")
      ->check(CLI::Range(0.0, longest))
      ->excludes(core);
  to.add_flag("--pools", into.pools, "Count what looks like frames inside of other objects, too");
  to.add_flag("--rust", into.rust, "Also the futures that a Rust program holds as Box<dyn Future>: an experiment");
  to.add_option("--debug-dir", into.debug_folders, "Where to look for separate debug files, too")
      ->type_name("FOLDER")
      ->allow_extra_args(false);
}

base::result<inspect::live_target> open_target(const live_target_options& asked, bool stacks) {
  inspect::live_options how;
  how.debug_folders.assign(asked.debug_folders.begin(), asked.debug_folders.end());
  how.stacks = stacks;
  how.pools = asked.pools;
  how.rust = asked.rust;
  how.longest_pause =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double, std::milli>(asked.pause_ms));
  if (!asked.core.empty()) return inspect::live_target::of_core(asked.core, asked.program, std::move(how));
  if (asked.pid == 0) return base::input_error("which process? Give its PID, or a core file with --core");
  return inspect::live_target::of_process(asked.pid, std::move(how));
}

}  // namespace tare::cli
