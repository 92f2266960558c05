#include "base/proc/process_tree.hpp"

#include "base/proc/file.hpp"
#include "base/proc/text.hpp"

#include <charconv>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>

namespace tare::base {

result<std::vector<pid_t>> descendants(pid_t ancestor) {
  // Scans every process of the system once. The kernel's lists of children are per thread, so reading only those would
  // be slower where it matters most: for a program with a hundred thousand threads.
  std::error_code failed;
  std::filesystem::directory_iterator entries("/proc", failed);
  if (failed) return system_error("cannot list /proc", failed.value());

  std::multimap<pid_t, pid_t> children;
  for (; entries != std::filesystem::directory_iterator(); entries.increment(failed)) {
    if (failed) return system_error("cannot list /proc", failed.value());
    const std::string name = entries->path().filename().string();
    pid_t pid = 0;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (wrong != std::errc{} || end != name.data() + name.size()) continue;
    const auto text = read_proc_file(pid, "stat");
    const auto stat = text ? parse_stat(*text) : std::nullopt;
    if (stat && stat->state != 'Z' && stat->state != 'X') children.emplace(stat->parent, pid);
  }

  std::vector<pid_t> found;
  const auto add_children_of = [&](pid_t parent) {
    const auto [first, last] = children.equal_range(parent);
    for (auto child = first; child != last; ++child) found.push_back(child->second);
    children.erase(first, last);
  };
  add_children_of(ancestor);
  // NOLINTNEXTLINE(modernize-loop-convert): it grows during the loop
  for (std::size_t next = 0; next < found.size(); ++next) add_children_of(found[next]);
  return found;
}

}  // namespace tare::base
