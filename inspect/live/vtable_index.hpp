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
  /// Adds those of a module whose first coroutine has the number `first`.
  void add(std::span<const future_vtable> all, std::uint32_t first, std::uint64_t load_bias);
  /// After the last `add`.
  void finish();

  [[nodiscard]] bool empty() const noexcept { return vtables_.empty(); }

  /// Whether a word may be the address of one: quick, to be asked of every word.
  [[nodiscard]] bool may_be_vtable(std::uint64_t word) const noexcept { return word - range_.begin < range_.bytes(); }

  /// nullptr if none is there. Its address is that in the process.
  [[nodiscard]] const future_vtable* find(std::uint64_t word) const;

 private:
  std::vector<future_vtable> vtables_;  ///< by address
  address_range range_;                 ///< that all of them are in
};

}  // namespace tare::inspect
