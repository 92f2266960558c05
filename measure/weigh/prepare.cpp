#include "measure/weigh/prepare.hpp"

#include "measure/process/run.hpp"

#include <chrono>
#include <utility>
#include <variant>
#include <vector>

namespace tare::measure {
namespace {

constexpr std::chrono::minutes build_time_limit{15};
constexpr std::chrono::seconds version_time_limit{10};

}  // namespace

base::result<std::string> prepare(const peer& peer, const std::filesystem::path& root, stop_signal stop,
                                  const std::function<void(std::string_view)>& progress) {
  if (!peer.build.empty()) {
    if (progress) progress("building");
    if (auto built = run({peer.build, root}, build_time_limit, stop); !built) return std::unexpected(built.error());
  }
  if (const auto* version = std::get_if<std::string>(&peer.version)) return *version;
  if (progress) progress("asking for its version");
  auto printed = run({std::get<std::vector<std::string>>(peer.version), root}, version_time_limit, stop);
  if (printed) printed->resize(printed->find('\n') == std::string::npos ? printed->size() : printed->find('\n'));
  return printed;
}

}  // namespace tare::measure
