#include "base/proc/machine.hpp"

#include "base/proc/file.hpp"
#include "base/proc/text.hpp"

#include <fmt/format.h>

#include <sys/utsname.h>

#include <string_view>
#include <thread>

namespace tare::base {

machine this_machine() {
  machine found;
  found.cores = std::thread::hardware_concurrency();
  if (const auto text = read_proc_file("/proc/cpuinfo")) found.cpu = find_value(*text, "model name").value_or("");
  utsname system{};
  if (::uname(&system) == 0) found.kernel = fmt::format("{} {}", system.sysname, system.release);
  if (const auto text = read_proc_file("/sys/kernel/mm/transparent_hugepage/enabled")) {
    // The active one is in brackets: "always [madvise] never".
    const std::string_view choices = *text;
    const auto open = choices.find('[');
    const auto close = choices.find(']');
    if (open < close && close != std::string_view::npos)
      found.transparent_huge_pages = choices.substr(open + 1, close - open - 1);
  }
  return found;
}

}  // namespace tare::base
