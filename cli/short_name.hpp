#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tare::cli {

/// The name of a function as a table shows it, in at most so many bytes (12 at least): a long one loses its arguments
/// first; if that is not enough it keeps its beginning and its end. Control characters are shown as '?'.
[[nodiscard]] std::string short_name(std::string_view whole, std::size_t longest = 60);

}  // namespace tare::cli
