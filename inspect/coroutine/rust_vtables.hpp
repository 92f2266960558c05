#pragma once

// The vtables of Rust types as `dyn Future`. Internal to inspect/.

#include "inspect/coroutine/unit_context.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace tare::inspect {

struct rust_vtable {
  std::uint64_t address = 0;
  std::string type;         ///< for an async function, the coroutine's linkage name
  std::uint64_t bytes = 0;  ///< of the type
};

/// The vtables in a unit.
[[nodiscard]] std::vector<rust_vtable> find_rust_vtables(const unit_context& unit);

}  // namespace tare::inspect
