#pragma once

// The async functions of rustc. They need no machine code. Internal to inspect/.

#include "inspect/coroutine/unit_context.hpp"
#include "inspect/facts/coroutine.hpp"

#include <string_view>
#include <vector>

namespace tare::inspect {

/// The async functions, blocks and closures of the unit.
[[nodiscard]] std::vector<coroutine> find_rust_coroutines(const unit_context& unit);

/// Whether it is the type that rustc creates for an async function, block or closure: "{async_fn_env#0}<T>".
[[nodiscard]] bool is_async_environment(std::string_view name);

}  // namespace tare::inspect
