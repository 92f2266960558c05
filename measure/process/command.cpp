#include "measure/process/command.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace tare::measure {
namespace {

constexpr std::string_view count_placeholder = "{n}";
constexpr std::string_view port_placeholder = "{port}";

std::string replace_all(std::string_view text, std::string_view what, std::string_view with) {
  std::string replaced;
  for (std::size_t index = 0; index < text.size();) {
    const auto found = text.find(what, index);
    replaced += text.substr(index, found - index);
    if (found == std::string_view::npos) break;
    replaced += with;
    index = found + what.size();
  }
  return replaced;
}

bool has(const std::vector<std::string>& arguments, std::string_view placeholder) {
  return std::ranges::any_of(arguments, [&](const std::string& a) { return a.contains(placeholder); });
}

command replaced(const command& original, std::string_view placeholder, std::uint64_t number) {
  command changed{{}, original.directory, original.environment};
  const std::string digits = std::to_string(number);
  for (const auto& argument : original.arguments) {
    changed.arguments.push_back(replace_all(argument, placeholder, digits));
  }
  return changed;
}

bool needs_quotes(std::string_view word) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%{}";
  return word.empty() || word.find_first_not_of(plain) != std::string_view::npos;
}

/// Why a file cannot be executed, or nothing.
std::optional<std::string> why_not_executable(const std::filesystem::path& file) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) return "is a folder";
  if (::access(file.c_str(), X_OK) != 0) return "is not executable";
  return std::nullopt;
}

}  // namespace

bool command::takes_count() const { return has(arguments, count_placeholder); }
command command::with_count(std::uint64_t n) const { return replaced(*this, count_placeholder, n); }
bool command::takes_port() const { return has(arguments, port_placeholder); }
command command::with_port(std::uint16_t port) const { return replaced(*this, port_placeholder, port); }

std::string command::text() const {
  std::string line;
  for (const auto& argument : arguments) {
    if (!line.empty()) line += ' ';
    line += needs_quotes(argument) ? fmt::format("'{}'", replace_all(argument, "'", R"('\'')")) : argument;
  }
  return line;
}

command shell_command(std::string line, std::filesystem::path directory) {
  return {{"/bin/sh", "-c", std::move(line)}, std::move(directory)};
}

base::result<std::filesystem::path> find_program(const std::string& program, const std::filesystem::path& directory) {
  namespace fs = std::filesystem;
  std::error_code failed;
  const auto absolute = [&](const fs::path& file) { return fs::absolute(directory / file, failed); };

  if (program.empty()) return base::command_error("the name of the program is empty");
  if (program.contains('/')) {
    fs::path file = absolute(program);
    if (!fs::exists(file, failed)) return base::command_error(fmt::format("{}: no such file", program));
    if (const auto wrong = why_not_executable(file)) return base::command_error(fmt::format("{} {}", program, *wrong));
    return file;
  }

  std::optional<std::string> found_but;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
  const char* variable = std::getenv("PATH");
  std::string_view folders = variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin";
  while (true) {
    const auto colon = folders.find(':');
    fs::path file = absolute(fs::path(folders.substr(0, colon)) / program);
    if (fs::exists(file, failed)) {
      const auto wrong = why_not_executable(file);
      if (!wrong) return file;
      found_but = fmt::format("{} {}", file.string(), *wrong);
    }
    if (colon == std::string_view::npos) break;
    folders.remove_prefix(colon + 1);
  }
  if (found_but) return base::command_error(*found_but);
  return base::command_error(fmt::format("{}: command not found", program));
}

}  // namespace tare::measure
