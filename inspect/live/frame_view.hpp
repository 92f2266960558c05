#pragma once

// One suspended frame with the values of its variables.

#include "inspect/facts/coroutine.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tare::inspect {

struct field_value {
  std::string name;
  std::string type;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  field_kind kind = field_kind::unnamed;
  byte_state state = byte_state::held;  ///< at the await where it is suspended
  std::string value;                    ///< empty: the debug information does not describe its type
};

struct frame_view {
  std::uint64_t address = 0;
  std::string function;
  source_line where;  ///< of the await
  suspension kind = suspension::await;
  std::uint64_t frame_bytes = 0;
  std::uint64_t allocated_bytes = 0;  ///< 0: not known
  std::uint64_t waiter = 0;           ///< the frame that waits for it; 0: none known
  std::string waiter_function;
  std::vector<field_value> fields;  ///< by offset
};

/// The location of a frame that was found.
struct listed_frame {
  std::uint64_t address = 0;
  std::string function;
  source_line where;
  suspension kind = suspension::await;
  std::uint64_t bytes = 0;
};

}  // namespace tare::inspect
