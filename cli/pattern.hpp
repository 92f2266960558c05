#pragma once

#include "base/error.hpp"

#include <regex>
#include <string>
#include <string_view>

namespace tare::cli {

/// The regular expression passed with an option such as "--match".
[[nodiscard]] base::result<std::regex> pattern_of(std::string_view option, const std::string& text);

}  // namespace tare::cli
