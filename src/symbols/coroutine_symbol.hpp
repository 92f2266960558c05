#pragma once

// The functions that compilers make of a coroutine, and how they are called.

#include <string>
#include <string_view>

namespace tare::detail {

/// The symbol of the coroutine whose resume or destroy function has this one; any other symbol as it is.
[[nodiscard]] std::string_view coroutine_symbol(std::string_view symbol) noexcept;

/// The name in the source, with its parameters; a symbol that cannot be read as it is.
[[nodiscard]] std::string readable_name(std::string_view symbol);

}  // namespace tare::detail
