#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tare::cli {

/// The name of a function for a table, in at most this many bytes (at least 12). A long name loses its arguments first;
/// if that is not enough, its middle. Control characters are shown as '?'.
[[nodiscard]] std::string short_name(std::string_view whole, std::size_t longest = 60);

}  // namespace tare::cli
