#include "sched/processors.hpp"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace tare::detail {

namespace {

/// A control group that limits processor time: its folder as seen by the process, and the names of its files.
struct group {
  std::string mounted_at;  ///< folder of the hierarchy
  std::string path;        ///< below it, with a leading slash, or empty
  bool is_v2;
};

bool names(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    if (list.substr(0, end) == name) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

/// The words of a file's first line.
std::vector<std::string> first_line(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  std::istringstream words(line);
  std::vector<std::string> found;
  for (std::string word; words >> word;) found.push_back(std::move(word));
  return found;
}

/// The path of the process in the v2 hierarchy, or in the v1 hierarchy with the controller "cpu".
std::optional<std::string> path_of_process(const std::string& root, bool v2) {
  std::ifstream in(root + "/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const std::size_t controllers = line.find(':');  // "number:controllers:path"
    if (controllers == std::string::npos) continue;
    const std::size_t path = line.find(':', controllers + 1);
    if (path == std::string::npos) continue;
    const auto list = std::string_view(line).substr(controllers + 1, path - controllers - 1);
    if (v2 ? list.empty() && line.starts_with("0:") : names(list, "cpu")) return line.substr(path + 1);
  }
  return std::nullopt;
}

/// Where the hierarchies that contain the process are mounted, and its path in them.
std::vector<group> groups_of_process(const std::string& root) {
  std::vector<group> found;
  std::ifstream in(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);  // id parent device root mounted-at options optional... - type source options
    std::string id;
    std::string parent;
    std::string device;
    std::string mounted_root;
    std::string mounted_at;
    words >> id >> parent >> device >> mounted_root >> mounted_at;
    for (std::string word; words >> word && word != "-";) {
    }
    std::string type;
    std::string source;
    std::string options;
    if (!(words >> type >> source >> options)) continue;
    const bool v2 = type == "cgroup2";
    if (!v2 && (type != "cgroup" || !names(options, "cpu"))) continue;
    std::optional<std::string> path = path_of_process(root, v2);
    if (!path) continue;
    // In a container the host's path may be visible, but only the folder of the container's own group.
    if (mounted_root != "/" && path->starts_with(mounted_root)) path->erase(0, mounted_root.size());
    if (*path == "/" || path->find("/..") != std::string::npos) path->clear();
    found.push_back({.mounted_at = root + mounted_at, .path = std::move(*path), .is_v2 = v2});
  }
  return found;
}

/// Quota and period of one folder, in microseconds.
std::optional<unsigned> quota_of_folder(const std::string& folder, bool v2) {
  std::vector<std::string> words;
  if (v2) {
    words = first_line(folder + "/cpu.max");
  } else {
    words = first_line(folder + "/cpu.cfs_quota_us");
    const std::vector<std::string> period = first_line(folder + "/cpu.cfs_period_us");
    words.insert(words.end(), period.begin(), period.end());
  }
  if (words.size() != 2) return std::nullopt;
  const auto quota = number_in(words[0]);  // "max", or -1: none
  const auto period = number_in(words[1]);
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  const std::int64_t processors = (*quota - 1) / *period + 1;
  return static_cast<unsigned>(std::min<std::int64_t>(processors, std::numeric_limits<int>::max()));
}

unsigned allowed_processors() noexcept {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  // It fails if there are more processors than the set can hold; then only their number is known.
  const int count = ::sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
  return count > 0 ? static_cast<unsigned>(count) : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

std::optional<unsigned> quota_in_processors(const std::string& root) {
  std::optional<unsigned> least;
  for (const group& each : groups_of_process(root)) {
    // The parent groups limit it as well.
    for (std::string path = each.path;; path.resize(path.rfind('/'))) {
      if (const auto quota = quota_of_folder(each.mounted_at + path, each.is_v2);
          quota && (!least || *quota < *least)) {
        least = quota;
      }
      if (path.empty() || path.rfind('/') == std::string::npos) break;
    }
  }
  return least;
}

unsigned usable_processors() {
  const unsigned allowed = allowed_processors();
  return std::min(allowed, quota_in_processors("").value_or(allowed));
}

}  // namespace tare::detail
