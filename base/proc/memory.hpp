#pragma once

#include "base/error.hpp"

#include <sys/types.h>

#include <cstdint>
#include <span>

namespace tare::base {

/// The memory of one or more processes according to the kernel, in bytes.
///
/// For several processes every figure is the sum, so shared pages count once per process in `resident` and once in
/// total in `proportional`. The peak of a sum is at most the sum of peaks.
struct memory {
  std::uint64_t resident = 0;      ///< RSS: pages in memory, shared ones included
  std::uint64_t proportional = 0;  ///< PSS: a page shared by k processes counts as a k-th
  std::uint64_t anonymous = 0;     ///< pages without a file: heap, stacks, pages that the program has written to
  std::uint64_t page_tables = 0;   ///< held by the kernel for the process, not in `resident`
  std::uint64_t peak = 0;          ///< the largest `resident` ever
  std::uint64_t swapped = 0;       ///< currently not in memory, so not included in the figures above

  memory& operator+=(const memory& other) noexcept;
  friend bool operator==(const memory&, const memory&) = default;
};

/// Reads the memory of the processes. A process that has ended counts as 0; if all have ended, that is an error.
///
/// The figures of `resident`, `proportional`, `anonymous` and `swapped` come from /proc/PID/smaps_rollup, which walks
/// the page tables and is exact; VmRSS in /proc/PID/status lags by several pages per CPU.
[[nodiscard]] result<memory> read_memory(std::span<const pid_t> processes);

/// What programs can still use without swapping, according to the kernel's estimate (MemAvailable in /proc/meminfo).
[[nodiscard]] result<std::uint64_t> available_memory();

}  // namespace tare::base
