#pragma once

#include <fstream>
#include <string>

namespace tare::testing {

/// This process's RSS.
inline double resident_bytes() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string word; rollup >> word;) {
    if (word == "Rss:") {
      double kilobytes = 0;
      rollup >> kilobytes;
      return kilobytes * 1024;
    }
  }
  return 0;
}

}  // namespace tare::testing
