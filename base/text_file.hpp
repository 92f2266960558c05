#pragma once

#include <filesystem>
#include <string>

#include "base/error.hpp"

namespace tare::base {

/// The whole of a file that a person has named. The error says which it is and what is wrong with it.
[[nodiscard]] result<std::string> read_text_file(const std::filesystem::path& file);

}  // namespace tare::base
