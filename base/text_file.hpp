#pragma once

#include "base/error.hpp"

#include <filesystem>
#include <string>

namespace tare::base {

/// The content of a file named by the user. The error names the file and says what is wrong.
[[nodiscard]] result<std::string> read_text_file(const std::filesystem::path& file);

}  // namespace tare::base
