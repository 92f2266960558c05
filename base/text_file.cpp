#include "base/text_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

namespace tare::base {

result<std::string> read_text_file(const std::filesystem::path& file) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) return input_error(fmt::format("{} is a folder", file.string()));
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    return input_error(fmt::format("cannot read {}: {}", file.string(), std::generic_category().message(errno)));
  }
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad()) return input_error(fmt::format("cannot read {}", file.string()));
  return text;
}

}  // namespace tare::base
