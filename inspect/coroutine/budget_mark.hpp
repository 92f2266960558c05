#pragma once

#include <cstdint>

namespace tare::inspect {

/// TARE_FRAME_BUDGET in the code.
struct budget_mark {
  std::uint64_t address = 0;  ///< in the coroutine's code, or in code that it was inlined into
  std::uint64_t bytes = 0;
  std::uint32_t line = 0;
  std::uint32_t file = 0;  ///< abi::file_mark
};

}  // namespace tare::inspect
