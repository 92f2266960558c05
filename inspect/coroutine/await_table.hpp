#pragma once

// The section `.tare.awaits` (<tare/abi/await_section.hpp>): what this library knows of a binary's awaits, for those
// who have no debug information.

#include "base/error.hpp"
#include "inspect/facts/coroutine.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tare::inspect {

/// The section's content for the binary with this build id. Coroutines of Rust, and of which neither awaits nor a size
/// are known, are left out.
[[nodiscard]] std::string await_table_text(std::span<const coroutine> coroutines, std::string_view build_id);

/// The coroutines that a section tells of. The error says what is wrong with it, without the file's name.
[[nodiscard]] base::result<std::vector<coroutine>> parse_await_table(std::string_view section,
                                                                     std::string_view build_id);

}  // namespace tare::inspect
