#include "base/proc/kernel_memory.hpp"

#include "base/proc/file.hpp"
#include "base/proc/text.hpp"

#include <unistd.h>

#include <charconv>
#include <limits>
#include <system_error>

namespace tare::base {
namespace {

/// The number after the word "mem" in "TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 178".
std::optional<std::uint64_t> pages_of(std::string_view words) {
  constexpr std::string_view key = " mem ";
  const auto found = words.find(key);
  if (found == std::string_view::npos) return std::nullopt;
  const std::string_view digits = words.substr(found + key.size());
  std::uint64_t pages = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), pages);
  if (wrong != std::errc() || (end != digits.data() + digits.size() && *end != ' ')) return std::nullopt;
  return pages;
}

}  // namespace

kernel_memory parse_kernel_memory(std::string_view meminfo, std::string_view sockstat, std::uint64_t page_bytes) {
  kernel_memory found{.slab = find_kilobytes(meminfo, "Slab"), .sockets = {}};
  if (const auto tcp = find_value(sockstat, "TCP")) {
    const auto pages = pages_of(*tcp);
    if (pages && *pages <= std::numeric_limits<std::uint64_t>::max() / page_bytes) found.sockets = *pages * page_bytes;
  }
  return found;
}

kernel_memory read_kernel_memory() {
  const long page = ::sysconf(_SC_PAGESIZE);
  return parse_kernel_memory(read_proc_file("/proc/meminfo").value_or(""),
                             read_proc_file("/proc/net/sockstat").value_or(""),
                             page > 0 ? static_cast<std::uint64_t>(page) : 4096);
}

}  // namespace tare::base
