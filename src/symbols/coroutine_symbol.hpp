#pragma once

// The names of the functions that compilers generate from a coroutine.

#include <string>
#include <string_view>

namespace tare::detail {

/// The symbol of the coroutine for the symbol of its resume or destroy function; any other symbol is returned
/// unchanged.
[[nodiscard]] std::string_view coroutine_symbol(std::string_view symbol) noexcept;

/// The name in the source, with its parameters; a symbol that cannot be demangled is returned unchanged.
[[nodiscard]] std::string readable_name(std::string_view symbol);

}  // namespace tare::detail
