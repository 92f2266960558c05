#include "base/proc/memory.hpp"

#include "base/proc/file.hpp"
#include "base/proc/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>

namespace tare::base {
namespace {

bool has_ended(pid_t process) {
  const auto text = read_proc_file(process, "stat");
  const auto stat = text ? parse_stat(*text) : std::nullopt;
  if (!stat || stat->state == 'Z' || stat->state == 'X') return true;
  // A process releases its memory before it becomes a zombie.
  const auto status = read_proc_file(process, "status");
  return !status || !find_kilobytes(*status, "VmRSS");
}

result<memory> read_one(pid_t process) {
  const auto rollup = read_proc_file(process, "smaps_rollup");
  if (!rollup) return std::unexpected(rollup.error());
  const auto status = read_proc_file(process, "status");
  if (!status) return std::unexpected(status.error());

  memory read;
  const struct {
    const std::string& text;
    const char* key;
    std::uint64_t& value;
  } wanted[] = {
      {*rollup, "Rss", read.resident}, {*rollup, "Pss", read.proportional},  {*rollup, "Anonymous", read.anonymous},
      {*rollup, "Swap", read.swapped}, {*status, "VmPTE", read.page_tables}, {*status, "VmHWM", read.peak},
  };
  for (const auto& item : wanted) {
    const auto value = find_kilobytes(item.text, item.key);
    if (!value) {
      return std::unexpected(
          error{fault::system, fmt::format("the kernel does not report {} of process {}", item.key, process)});
    }
    item.value = *value;
  }
  // The kernel's peak is computed from counters that lag behind.
  read.peak = std::max(read.peak, read.resident);
  return read;
}

}  // namespace

memory& memory::operator+=(const memory& other) noexcept {
  resident += other.resident;
  proportional += other.proportional;
  anonymous += other.anonymous;
  page_tables += other.page_tables;
  peak += other.peak;
  swapped += other.swapped;
  return *this;
}

result<memory> read_memory(std::span<const pid_t> processes) {
  memory all;
  bool any = false;
  for (const pid_t process : processes) {
    const auto each = read_one(process);
    if (each) {
      all += *each;
      any = true;
    } else if (!has_ended(process)) {
      return std::unexpected(each.error());
    }
  }
  if (!any) return command_error("there is no process left to read the memory of");
  return all;
}

result<std::uint64_t> available_memory() {
  const auto text = read_proc_file("/proc/meminfo");
  if (!text) return std::unexpected(text.error());
  const auto value = find_kilobytes(*text, "MemAvailable");
  if (!value) return std::unexpected(error{fault::system, "the kernel does not report MemAvailable"});
  return *value;
}

}  // namespace tare::base
