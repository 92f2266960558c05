#pragma once

// The variables of a coroutine that are in its frame, and where in the code each is in scope. Internal to inspect/.

#include "inspect/coroutine/frame_source.hpp"

namespace tare::inspect {

struct scoped_variable {
  frame_field field;
  std::vector<code_range> scope;
  std::uint64_t scope_bytes = 0;  ///< bytes of code in its scope: the innermost scope has the fewest
  bool inlined = false;           ///< of a function that was inlined into the coroutine

  [[nodiscard]] bool in_scope_at(std::uint64_t address) const;
};

/// The variables whose place in the frame is known. The flows of the functions must have been computed.
[[nodiscard]] std::vector<scoped_variable> find_variables(const frame_source& source, std::uint64_t frame_bytes);

}  // namespace tare::inspect
