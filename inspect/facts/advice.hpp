#pragma once

// What would make a frame lighter.

#include "inspect/facts/coroutine.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace tare::inspect {

struct advice {
  source_line where;
  std::uint64_t bytes = 0;  ///< that would not be kept any more
  bool certain = false;     ///< false: likely, from what the machine code shows
  std::string message;      ///< one line
};

/// The heaviest first. Only what concerns at least 32 bytes; of the padding in a class at least 8.
[[nodiscard]] std::vector<advice> advise(const coroutine& one);

}  // namespace tare::inspect
