#pragma once

// What a Rust program has for each type that it uses as `dyn Future`: a table with its size, its alignment and its
// functions. A Box<dyn Future> is the address of the future and that of its table.

#include <cstdint>

namespace tare::inspect {

struct future_vtable {
  std::uint64_t address = 0;    ///< that of the file; a process adds its load bias
  std::uint32_t coroutine = 0;  ///< of which type: an index into the coroutines that were read along with it
  std::uint64_t bytes = 0;      ///< of the future; it may be 0
  std::uint64_t alignment = 1;  ///< of the future, a power of two
};

}  // namespace tare::inspect
