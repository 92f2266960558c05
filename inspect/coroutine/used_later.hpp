#pragma once

// What a coroutine uses after each suspension. Internal to inspect/coroutine/.

#include "inspect/coroutine/frame_effects.hpp"
#include "inspect/coroutine/frame_entries.hpp"

#include <llvm/ADT/BitVector.h>

#include <optional>
#include <vector>

namespace tare::inspect {

/// For each atom: whether it is read later, whether its address is passed on later, and whether it is used at all
/// later.
struct later_use {
  llvm::BitVector read;
  llvm::BitVector passed;
  llvm::BitVector touched;

  explicit later_use(unsigned atoms) : read(atoms), passed(atoms), touched(atoms) {}
  /// Returns whether that changed anything.
  bool join(const later_use& other);
};

/// One element per await; empty if that takes too much work.
[[nodiscard]] std::optional<std::vector<later_use>> find_used_later(const frame_source& source,
                                                                    const std::vector<found_await>& awaits,
                                                                    const coroutine& coroutine,
                                                                    const frame_effects& effects, work_limit& work);

}  // namespace tare::inspect
