#pragma once

// The vtables of a process by their addresses in it. Internal to inspect/.

#include "inspect/coroutine/future_vtable.hpp"
#include "inspect/memory/address_space.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace tare::inspect {

class vtable_index {
 public:
  /// Adds the vtables of a module; its first coroutine has the number `first`.
  void add(std::span<const future_vtable> all, std::uint32_t first, std::uint64_t load_bias);
  /// Call this after the last `add`.
  void finish();

  [[nodiscard]] bool empty() const noexcept { return vtables_.empty(); }

  /// Whether a word may be the address of a vtable: a fast check for every word.
  [[nodiscard]] bool may_be_vtable(std::uint64_t word) const noexcept { return word - range_.begin < range_.bytes(); }

  /// The vtable at an address in the process; nullptr if there is none.
  [[nodiscard]] const future_vtable* find(std::uint64_t word) const;

 private:
  std::vector<future_vtable> vtables_;  ///< by address
  address_range range_;                 ///< that all of them are in
};

}  // namespace tare::inspect
