#pragma once

#include <string_view>

namespace tare::base {

/// The readable part of a JSON library exception: "key 'date' not found" of "[json.exception.out_of_range.403] key
/// 'date' not found".
[[nodiscard]] inline std::string_view json_problem(std::string_view what) {
  const auto end = what.find("] ");
  return end == std::string_view::npos ? what : what.substr(end + 2);
}

}  // namespace tare::base
