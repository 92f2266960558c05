#include "measure/race/entrant.hpp"

#include "measure/process/run.hpp"
#include "measure/weigh/prepare.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <poll.h>

#include <chrono>
#include <ctime>
#include <string_view>
#include <utility>

namespace tare::measure {
namespace {

std::string commit_of(const std::filesystem::path& root, stop_signal stop) {
  auto described =
      run({{"git", "describe", "--always", "--dirty", "--abbrev=10"}, root}, std::chrono::seconds(10), stop);
  if (!described) return {};
  return described->substr(0, described->find('\n'));
}

}  // namespace

bool told_to_stop(stop_signal stop) {
  pollfd watched{stop, POLLIN, 0};
  return stop >= 0 && ::poll(&watched, 1, 0) > 0;
}

race_peer prepare_entrant(const peer& peer, const std::filesystem::path& root, const race_listener& listener,
                          stop_signal stop) {
  const auto complain = [&](std::string_view line) {
    if (listener.complaint) listener.complaint(line);
  };
  race_peer about{.name = peer.name,
                  .title = peer.title,
                  .language = peer.language,
                  .version = {},
                  .subject = peer.subject,
                  .floor = peer.floor,
                  .absent = {},
                  .failed = {}};
  if (const auto need = missing_need(peer, root, stop)) {
    // Not an error, because no machine has every toolchain.
    about.absent = need->text();
    if (!told_to_stop(stop)) complain(fmt::format("{} is left out: {}", peer.name, about.absent));
    return about;
  }
  auto version = prepare(peer, root, stop, [&](std::string_view what) {
    if (listener.progress) listener.progress(fmt::format("{}: {}", peer.name, what));
  });
  if (version) {
    about.version = std::move(*version);
  } else {
    about.failed = version.error().message;
    if (version.error().kind != base::fault::interrupted) complain(fmt::format("{}: {}", peer.name, about.failed));
  }
  return about;
}

race_results results_of_today(const std::filesystem::path& root, stop_signal stop) {
  race_results results;
  results.date = today();
  results.where = base::this_machine();
  results.commit = commit_of(root, stop);
  return results;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  if (::gmtime_r(&now, &parts) == nullptr) return {};
  return fmt::format("{:%Y-%m-%d}", parts);
}

}  // namespace tare::measure
