#pragma once

// The futures that a Rust program holds as Box<dyn Future>: an experiment. Internal to inspect/.
//
// A future does not say what it is, but such a box does: it is the address of the future and, behind it, that of the
// vtable of its type. So wherever these two words are, the first leads to a future. The boxes are often copied and
// moved, and nobody clears the old place: one future is found by several of them, and a box that is left over may lead
// to memory that was freed, or is something else by now. Where glibc's heap tells, these are left out: a future has a
// chunk of its own, which is as long as malloc would make it for it.

#include "inspect/facts/coroutine.hpp"
#include "inspect/live/found_frame.hpp"
#include "inspect/live/vtable_index.hpp"
#include "inspect/memory/address_space.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace tare::inspect {

struct rust_roots_options {
  bool waiters = false;  ///< also which future awaits the box, where it is inside of one
};

struct rust_roots {
  std::vector<found_frame> futures;  ///< by address
  std::uint64_t scanned_bytes = 0;
  std::uint64_t done = 0;   ///< futures that have returned or panicked, and are not dropped
  std::uint64_t freed = 0;  ///< places of futures that were freed, or are something else by now
  /// Futures that boxes of several types lead to: all but one are left over, and it is not known which.
  std::uint64_t ambiguous = 0;
  bool heap_changed = false;  ///< a heap could not be followed to its end
  bool too_many = false;      ///< there are more boxes than are looked at
};

[[nodiscard]] rust_roots find_rust_roots(const address_space& memory, const vtable_index& known,
                                         std::span<const coroutine> coroutines, std::span<const address_range> covered,
                                         const rust_roots_options& how);

}  // namespace tare::inspect
