#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>

#include "base/error.hpp"

namespace tare::base {

/// The memory of one or more processes as the kernel counts it, in bytes.
///
/// Of several processes everything is the sum, so what they share counts once for each in `resident` and once in all
/// in `proportional`. The peak of a sum is at most the sum of peaks.
struct memory {
  std::uint64_t resident = 0;      ///< RSS: pages in memory, shared ones included.
  std::uint64_t proportional = 0;  ///< PSS: a page shared by k processes counts as a k-th.
  std::uint64_t anonymous = 0;     ///< Pages of no file: heap, stacks, what the program has written to.
  std::uint64_t page_tables = 0;   ///< Held by the kernel for the process, not in `resident`.
  std::uint64_t peak = 0;          ///< The largest `resident` ever.
  std::uint64_t swapped = 0;       ///< Not in memory now, so missing in the figures above.

  memory& operator+=(const memory& other) noexcept;
  friend bool operator==(const memory&, const memory&) = default;
};

/// Reads the memory of the processes. One that has ended counts as nothing, unless all have: that is an error.
///
/// The figures of `resident`, `proportional`, `anonymous` and `swapped` come from /proc/PID/smaps_rollup, which walks
/// the page tables and is exact; VmRSS in /proc/PID/status lags by some pages a CPU.
[[nodiscard]] result<memory> read_memory(std::span<const pid_t> processes);

/// What programs can still take without swapping, by the kernel's estimate (MemAvailable in /proc/meminfo).
[[nodiscard]] result<std::uint64_t> available_memory();

}  // namespace tare::base
