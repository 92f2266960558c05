#pragma once

// The futures that a Rust program holds as Box<dyn Future> (experimental). Internal to inspect/.
//
// A future does not identify itself, but such a box does: it is the address of the future, followed by that of the
// vtable of its type. So wherever these two words are found, the first points to a future. Boxes are often copied and
// moved without clearing the old memory: several boxes may point to one future, and a stale box may point to memory
// that was freed or reused. glibc's heap shows which boxes are stale: a future has a chunk of its own, of the size that
// malloc uses for it.

#include "inspect/facts/coroutine.hpp"
#include "inspect/live/found_frame.hpp"
#include "inspect/live/vtable_index.hpp"
#include "inspect/memory/address_space.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace tare::inspect {

struct rust_roots_options {
  bool waiters = false;  ///< also find the future that awaits the box, if the box is inside one
};

struct rust_roots {
  std::vector<found_frame> futures;  ///< by address
  std::uint64_t scanned_bytes = 0;
  std::uint64_t done = 0;   ///< futures that have returned or panicked, and are not dropped
  std::uint64_t freed = 0;  ///< addresses of futures that were freed or reused
  /// Futures to which boxes of several types point: all but one box are stale, but it is not known which.
  std::uint64_t ambiguous = 0;
  bool heap_changed = false;  ///< a heap could not be walked to its end
  bool too_many = false;      ///< there are more boxes than the maximum
};

[[nodiscard]] rust_roots find_rust_roots(const address_space& memory, const vtable_index& known,
                                         std::span<const coroutine> coroutines, std::span<const address_range> covered,
                                         const rust_roots_options& how);

}  // namespace tare::inspect
