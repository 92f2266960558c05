#include "inspect/memory/present_pages.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace tare::inspect {
namespace {

constexpr std::uint64_t page = 4096;

// The interface of PAGEMAP_SCAN, as Documentation/admin-guide/mm/pagemap.rst of Linux 6.7 describes it. The headers of
// older systems do not have it, and the program may run on a newer kernel than it was built on.

/// struct page_region
struct scanned_run {
  std::uint64_t begin;
  std::uint64_t end;
  std::uint64_t categories;
};

/// struct pm_scan_arg
struct scan_request {
  std::uint64_t size;
  std::uint64_t flags;
  std::uint64_t begin;
  std::uint64_t end;
  std::uint64_t walk_end;  ///< where the kernel stopped
  std::uint64_t runs;      ///< the address of the array that it fills
  std::uint64_t max_runs;
  std::uint64_t max_pages;
  std::uint64_t category_inverted;
  std::uint64_t category_mask;
  std::uint64_t category_any_of;
  std::uint64_t return_mask;
};
static_assert(sizeof(scanned_run) == 24 && sizeof(scan_request) == 96);

constexpr unsigned long pagemap_scan = _IOWR('f', 16, scan_request);
// What the kernel collects before it copies. If it returns more than that, walk_end may be before the last run (Linux
// 6.18), and the runs in between come again.
constexpr std::size_t max_per_call = 512;
constexpr std::uint64_t is_present = 1U << 3U;
constexpr std::uint64_t is_swapped = 1U << 4U;

/// Adds a run that does not begin before the end of the last one.
void add(std::vector<address_range>& to, address_range run) {
  if (!to.empty() && to.back().end == run.begin) {
    to.back().end = run.end;
  } else {
    to.push_back(run);
  }
}

}  // namespace

std::optional<std::vector<address_range>> scan_present(int pagemap, address_range range, std::size_t per_call) {
  std::vector<scanned_run> runs(std::min(per_call, max_per_call));
  std::vector<address_range> found;
  for (std::uint64_t address = range.begin; address < range.end;) {
    scan_request request{};
    request.size = sizeof request;
    request.begin = address;
    request.end = range.end;
    request.runs = reinterpret_cast<std::uintptr_t>(runs.data());
    request.max_runs = runs.size();
    request.category_any_of = is_present | is_swapped;
    // Equal categories make one run of adjacent pages.
    request.return_mask = is_present | is_swapped;
    const int count = ::ioctl(pagemap, pagemap_scan, &request);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 || request.walk_end <= address) return std::nullopt;
    for (int i = 0; i < count; ++i) {
      const auto& run = runs[static_cast<std::size_t>(i)];
      add(found, {.begin = run.begin, .end = run.end});
    }
    address = request.walk_end;
  }
  return found;
}

std::optional<std::vector<address_range>> read_present(int pagemap, address_range range) {
  constexpr std::uint64_t in_memory = std::uint64_t{1} << 63U;
  constexpr std::uint64_t in_swap = std::uint64_t{1} << 62U;
  std::vector<address_range> found;
  std::array<std::uint64_t, 4096> entries;
  for (std::uint64_t address = range.begin; address < range.end;) {
    const std::size_t wanted = std::min<std::uint64_t>(entries.size(), (range.end - address) / page);
    const ssize_t length = ::pread(pagemap, entries.data(), wanted * sizeof entries[0],
                                   static_cast<off_t>(address / page * sizeof entries[0]));
    if (std::cmp_less(length, sizeof entries[0])) {
      if (address == range.begin) return std::nullopt;
      break;
    }
    const auto pages = static_cast<std::size_t>(length) / sizeof entries[0];
    for (std::size_t i = 0; i < pages; ++i, address += page) {
      if ((entries[i] & (in_memory | in_swap)) != 0) add(found, {.begin = address, .end = address + page});
    }
  }
  return found;
}

std::optional<std::vector<address_range>> present_pages(int pagemap, address_range range) {
  if (auto found = scan_present(pagemap, range)) return found;
  return read_present(pagemap, range);
}

}  // namespace tare::inspect
