#pragma once

#include <fstream>
#include <string>

namespace support {

/// One figure of /proc/self/smaps_rollup, in bytes; 0 if it is not there. The kernel walks the page tables for it, so
/// it is exact, while VmRSS of /proc/self/status lags by some pages per CPU.
inline double own_memory(const std::string& figure) {
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string word; rollup >> word;) {
    if (word == figure + ":") {
      double kilobytes = 0;
      rollup >> kilobytes;
      return kilobytes * 1024;
    }
  }
  return 0;
}

/// This process's RSS.
inline double resident_bytes() { return own_memory("Rss"); }

/// Without the program's own pages, of which the kernel maps many at a time when one is touched.
inline double anonymous_bytes() { return own_memory("Anonymous"); }

}  // namespace support
