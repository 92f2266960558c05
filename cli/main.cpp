#include "cli/check.hpp"
#include "cli/compare.hpp"
#include "cli/diff.hpp"
#include "cli/error.hpp"
#include "cli/frames.hpp"
#include "cli/hold.hpp"
#include "cli/live.hpp"
#include "cli/plan.hpp"
#include "cli/race.hpp"
#include "cli/snapshot.hpp"
#include "cli/weigh.hpp"

#include <tare/version.hpp>

#include <CLI/CLI.hpp>

#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

int main(int argc, char** argv) {
  using namespace tare::cli;
  try {
    CLI::App app("Shows what every paused task costs.", "tare");
    app.set_version_flag("--version", "tare " + std::string(tare::version));
    app.require_subcommand(1);
    const std::vector<std::pair<std::string, std::function<int()>>> subcommands{
        {"weigh", add_weigh(app)},       {"race", add_race(app)},      {"plan", add_plan(app)}, {"hold", add_hold(app)},
        {"frames", add_frames(app)},     {"check", add_check(app)},    {"diff", add_diff(app)}, {"live", add_live(app)},
        {"snapshot", add_snapshot(app)}, {"compare", add_compare(app)}};
    try {
      app.parse(argc, argv);
    } catch (const CLI::Success& success) {  // --help, --version
      return finish_output(app.exit(success) == 0 ? done : failed);
    } catch (const CLI::ParseError& wrong) {
      std::string where = "tare";
      for (const auto* used : app.get_subcommands()) where += " " + used->get_name();
      complain(std::string(wrong.what()) + "; see " + where + " --help");
      return bad_usage;
    }
    for (const auto& [name, action] : subcommands) {
      if (app.got_subcommand(name)) return action();
    }
    return bad_usage;
  } catch (const std::exception& unexpected) {
    complain(unexpected.what());
    return failed;
  }
}
