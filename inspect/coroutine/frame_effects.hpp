#pragma once

// What each instruction of a coroutine does to its frame, and where suspensions begin. Internal to inspect/coroutine/.

#include "inspect/coroutine/awaits.hpp"
#include "inspect/coroutine/frame_atoms.hpp"

#include <llvm/ADT/BitVector.h>

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

namespace tare::inspect {

/// What one instruction does to the frame.
struct effect {
  enum class kind : std::uint8_t { read, write, passed };
  kind what = kind::read;
  unsigned first = 0;  ///< atoms
  unsigned last = 0;
  bool certain = true;  ///< certainly all of these bytes
};

struct function_effects {
  const frame_function* function = nullptr;
  std::vector<std::vector<effect>> at;                     ///< by instruction
  std::map<std::size_t, std::vector<std::size_t>> begins;  ///< instruction to the awaits that begin there
};

class frame_effects {
 public:
  frame_effects(const frame_source& source, const std::vector<found_await>& awaits, const coroutine& coroutine,
                const frame_atoms& atoms);

  [[nodiscard]] const std::vector<function_effects>& functions() const { return functions_; }
  [[nodiscard]] const frame_atoms& atoms() const { return atoms_; }
  /// Adds the objects to which pointers in these atoms, or in added objects, point.
  void add_pointees(llvm::BitVector& atoms) const;

 private:
  void find_stored_pointers();
  void collect(const frame_function& function);
  [[nodiscard]] std::optional<effect> effect_of(const memory_access& access, const frame_function& function) const;
  [[nodiscard]] bool chooses_unknown(const memory_access& access, const frame_function& function) const;
  [[nodiscard]] bool is_listed(std::uint64_t index) const;

  const frame_source& source_;
  const std::vector<found_await>& awaits_;
  const coroutine& of_;
  const frame_atoms& atoms_;
  /// Objects that contain a pointer to themselves, like a short std::string: a read of the pointer reads the object.
  std::multimap<std::uint64_t, byte_range> self_pointers_;
  std::multimap<unsigned, byte_range> stored_in_;  ///< other pointers, by the atom that has the pointer
  std::vector<function_effects> functions_;
};

}  // namespace tare::inspect
