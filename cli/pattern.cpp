#include "cli/pattern.hpp"

#include <fmt/format.h>

namespace tare::cli {

base::result<std::regex> pattern_of(std::string_view option, const std::string& text) {
  try {
    return std::regex(text, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& wrong) {
    return base::input_error(fmt::format("{} '{}' is not a regular expression: {}", option, text, wrong.what()));
  }
}

}  // namespace tare::cli
