#pragma once

// The section `.tare.awaits` (<tare/abi/await_section.hpp>): the awaits of a binary, for readers without debug
// information.

#include "base/error.hpp"
#include "inspect/facts/coroutine.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tare::inspect {

/// The section's content for the binary with this build id, without Rust coroutines and coroutines whose size or awaits
/// are not known.
[[nodiscard]] std::string await_table_text(std::span<const coroutine> coroutines, std::string_view build_id);

/// The coroutines in a section. The error says what is wrong with it, without the file's name.
[[nodiscard]] base::result<std::vector<coroutine>> parse_await_table(std::string_view section,
                                                                     std::string_view build_id);

}  // namespace tare::inspect
