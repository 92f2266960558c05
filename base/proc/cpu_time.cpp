#include "base/proc/cpu_time.hpp"

#include "base/proc/file.hpp"
#include "base/proc/text.hpp"

#include <unistd.h>

#include <ctime>

namespace tare::base {

std::chrono::nanoseconds read_cpu_time(std::span<const pid_t> processes) {
  const long ticks_per_second = ::sysconf(_SC_CLK_TCK);
  std::chrono::nanoseconds all{0};
  for (const pid_t process : processes) {
    clockid_t clock{};
    timespec used{};
    if (::clock_getcpuclockid(process, &clock) == 0 && ::clock_gettime(clock, &used) == 0)
      all += std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
    const auto text = read_proc_file(process, "stat");
    const auto stat = text ? parse_stat(*text) : std::nullopt;
    if (stat && ticks_per_second > 0) {
      const std::chrono::duration<double> seconds(static_cast<double>(stat->reaped_ticks) /
                                                  static_cast<double>(ticks_per_second));
      all += std::chrono::duration_cast<std::chrono::nanoseconds>(seconds);
    }
  }
  return all;
}

}  // namespace tare::base
