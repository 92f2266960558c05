#pragma once

// What a coroutine may have written into its frame before each suspension. Internal to inspect/coroutine/.

#include "inspect/coroutine/frame_effects.hpp"
#include "inspect/coroutine/frame_entries.hpp"

#include <llvm/ADT/BitVector.h>

#include <optional>
#include <vector>

namespace tare::inspect {

/// For each atom: whether it may have been written, and whether its address was passed on.
struct earlier_use {
  llvm::BitVector touched;
  llvm::BitVector passed;
  llvm::BitVector passed_since;  ///< the coroutine was last resumed

  explicit earlier_use(unsigned atoms) : touched(atoms), passed(atoms), passed_since(atoms) {}
  /// Returns whether that changed anything.
  bool join(const earlier_use& other);
};

/// One element per await; empty if that takes too much work.
[[nodiscard]] std::optional<std::vector<earlier_use>> find_written_earlier(const frame_source& source,
                                                                           const std::vector<found_await>& awaits,
                                                                           const coroutine& coroutine,
                                                                           const frame_effects& effects,
                                                                           work_limit& work);

}  // namespace tare::inspect
