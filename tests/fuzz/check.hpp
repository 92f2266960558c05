#pragma once

// What a fuzz target holds of every input: whatever breaks it ends the process, which the fuzzer reports.

#include <cstdlib>

namespace fuzz {

inline void check(bool held) {
  if (!held) std::abort();
}

}  // namespace fuzz
