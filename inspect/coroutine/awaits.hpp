#pragma once

// The suspension points of a coroutine. Internal to inspect/.
//
// Before it suspends, a coroutine stores into its frame the number of the suspension point at which it will continue.

#include "inspect/coroutine/compiler_record.hpp"
#include "inspect/coroutine/frame_source.hpp"

namespace tare::inspect {

/// The code at which a suspension begins.
struct suspend_site {
  const frame_function* function = nullptr;
  std::uint64_t address = 0;  ///< of the instruction that contains the number
  std::uint64_t store = 0;    ///< of the instruction that stores it, which may store other numbers too
  bool alone = true;          ///< whether only this number is stored there
};

struct found_await {
  await_point point;
  std::vector<suspend_site> sites;
};

/// Sorted by index. The flows of the functions must have been computed. `recorded`: what the compiler recorded, which
/// is certain; may be nullptr.
[[nodiscard]] std::vector<found_await> find_awaits(const unit_context& unit, const frame_source& source,
                                                   const coroutine& coroutine, const compiler_record* recorded);

}  // namespace tare::inspect
