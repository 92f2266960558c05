#pragma once

// Checks of fuzz targets: a violation ends the process, which the fuzzer reports.

#include <cstdlib>

namespace fuzz {

inline void check(bool held) {
  if (!held) std::abort();
}

}  // namespace fuzz
