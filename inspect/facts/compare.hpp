#pragma once

// The changes of frames between two builds.

#include "inspect/facts/coroutine.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tare::inspect {

struct changed_field {
  std::string name;
  std::string type;
  std::uint64_t before = 0;  ///< bytes; 0: does not exist
  std::uint64_t after = 0;
};

struct changed_frame {
  const coroutine* before = nullptr;  ///< null: it appeared
  const coroutine* after = nullptr;   ///< null: it vanished
  std::int64_t difference = 0;        ///< bytes of the frame
  std::vector<changed_field> fields;  ///< those whose bytes differ, the largest change first
};

/// Coroutines are the same if their linkage names are. The largest change first; frames of unchanged size are left out.
[[nodiscard]] std::vector<changed_frame> compare(std::span<const coroutine> before, std::span<const coroutine> after);

}  // namespace tare::inspect
