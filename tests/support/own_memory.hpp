#pragma once

#include <fstream>
#include <string>

namespace support {

/// One figure of /proc/self/smaps_rollup, in bytes; 0 if it is missing. It is exact, because the kernel walks the page
/// tables for it, while VmRSS in /proc/self/status lags by several pages per CPU.
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

/// Excludes the program file's own pages, of which the kernel maps many when one is touched.
inline double anonymous_bytes() { return own_memory("Anonymous"); }

}  // namespace support
