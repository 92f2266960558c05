#pragma once

// Which pages of a process have content: /proc/PID/pagemap. Sanitizers and some allocators reserve terabytes of
// addresses and touch few of them; reading eight bytes per page of those takes a minute.

#include "inspect/memory/address_space.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace tare::inspect {

/// Lists the pages of a range that are in memory or swapped, as runs by address, with the ioctl PAGEMAP_SCAN, which
/// takes no time for addresses that were never touched. `per_call` is the number of runs that the kernel returns at
/// once, at most 512. nullopt if the kernel does not have the ioctl (it is in Linux 6.7 and newer) or refuses it.
[[nodiscard]] std::optional<std::vector<address_range>> scan_present(int pagemap, address_range range,
                                                                     std::size_t per_call = 512);

/// The same, by reading the entry of each page. nullopt if there is no entry for the first page: the process has ended,
/// or the kernel does not allow it.
[[nodiscard]] std::optional<std::vector<address_range>> read_present(int pagemap, address_range range);

/// The first of both that works; nullopt if neither does.
[[nodiscard]] std::optional<std::vector<address_range>> present_pages(int pagemap, address_range range);

}  // namespace tare::inspect
