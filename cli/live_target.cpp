#include "cli/live_target.hpp"

#include <chrono>
#include <limits>

namespace tare::cli {

void add_target_options(CLI::App& to, live_target_options& options) {
  auto* pid = to.add_option("pid", options.pid, "The process to inspect")
                  ->type_name("PID")
                  ->check(CLI::Range(std::int64_t{1}, std::int64_t{std::numeric_limits<int>::max()}));
  auto* core =
      to.add_option("--core", options.core, "Inspect this core file instead")->type_name("FILE")->excludes(pid);
  to.add_option("--exe", options.program, "The program that wrote the core file, if it has been moved")
      ->type_name("BINARY")
      ->needs(core);
  constexpr double longest = 60'000;
  to.add_option("--pause", options.pause_ms, "Stop the process while it is read, for at most this many milliseconds")
      ->type_name("MS")
      ->check(CLI::Range(0.0, longest))
      ->excludes(core);
  to.add_flag("--pools", options.pools, "Also count what looks like frames inside other objects");
  to.add_flag("--rust", options.rust,
              "Also show the futures that a Rust program holds as Box<dyn Future> (experimental)");
  to.add_option("--debug-dir", options.debug_folders, "Another folder in which to look for separate debug files")
      ->type_name("FOLDER")
      ->allow_extra_args(false);
}

base::result<inspect::live_target> open_target(const live_target_options& options, bool stacks) {
  inspect::live_options how;
  how.debug_folders.assign(options.debug_folders.begin(), options.debug_folders.end());
  how.stacks = stacks;
  how.pools = options.pools;
  how.rust = options.rust;
  how.longest_pause =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double, std::milli>(options.pause_ms));
  if (!options.core.empty()) return inspect::live_target::of_core(options.core, options.program, std::move(how));
  if (options.pid == 0) return base::input_error("no process given: pass its PID, or a core file with --core");
  return inspect::live_target::of_process(options.pid, std::move(how));
}

}  // namespace tare::cli
