#include "sched/stall.hpp"

#include "sched/snapshot_at_rest.hpp"

#include <tare/snapshot.hpp>

#include <dirent.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>

namespace tare::detail {

// NOLINTBEGIN(cppcoreguidelines-pro-type-vararg)

namespace {

constexpr std::size_t max_lines = 40;

/// "program+0x1234", as read by addr2line.
std::string place_of(const void* code) {
  std::array<char, 32> number{};
  Dl_info found{};
  const bool known = ::dladdr(code, &found) != 0 && found.dli_fname != nullptr;
  const auto base = reinterpret_cast<std::uintptr_t>(known ? found.dli_fbase : nullptr);
  std::snprintf(number.data(), number.size(), "%s0x%zx", known ? "+" : "",
                static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(code) - base));
  return (known ? std::string(found.dli_fname) : std::string()) + number.data();
}

void print_tasks(runtime_core& runtime) {
  const task_snapshot seen = snapshot_at_rest(runtime);
  std::fputs("  coroutines   bytes  wait for    resumed at (addr2line -Cfe PROGRAM OFFSET)\n", stderr);
  const std::size_t lines = std::min(seen.groups.size(), max_lines);
  for (std::size_t i = 0; i < lines; ++i) {
    const frame_group& group = seen.groups[i];
    std::fprintf(stderr, "  %10zu  %6zu  %-10s  %s\n", group.count, group.frame_bytes,
                 std::string(name_of(group.waiting_for)).c_str(), place_of(group.resume).c_str());
  }
  if (lines < seen.groups.size()) std::fprintf(stderr, "  and %zu other groups\n", seen.groups.size() - lines);
}

}  // namespace

void print_stall(runtime_core& runtime, bool certain) noexcept {
  if (certain) {
    std::fputs(
        "tare: deadlock in virtual time: every task waits, no timer is set, no task waits for a descriptor, and no\n"
        "other thread could wake one. The tasks:\n",
        stderr);
  } else {
    std::fputs(
        "tare: possible deadlock in virtual time: every task has waited for seconds, and no timer is set. Only a "
        "ready\n"
        "descriptor or another thread can still wake one. The tasks:\n",
        stderr);
  }
  try {
    print_tasks(runtime);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "  cannot be listed: %s\n", error.what());
  }
  std::fflush(stderr);
}

// NOLINTEND(cppcoreguidelines-pro-type-vararg)

unsigned count_threads() noexcept {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/task"), &::closedir);
  if (!folder) return 0;
  unsigned found = 0;
  while (const dirent* entry = ::readdir(folder.get())) {  // NOLINT(concurrency-mt-unsafe): our own stream
    if (entry->d_name[0] != '.') ++found;
  }
  return found;
}

}  // namespace tare::detail
