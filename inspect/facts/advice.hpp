#pragma once

// Advice on how to make a frame lighter.

#include "inspect/facts/coroutine.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace tare::inspect {

struct advice {
  source_line where;
  std::uint64_t bytes = 0;  ///< that the frame would no longer need
  bool certain = false;     ///< false: likely, judged by the machine code
  std::string message;      ///< one line
};

/// The advice that saves most comes first. Only savings of at least 32 bytes are listed; for padding in a class, 8.
[[nodiscard]] std::vector<advice> advise(const coroutine& coroutine);

}  // namespace tare::inspect
