#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tare::measure {

/// A program, its arguments, the folder it runs in, and what its environment has besides the caller's.
struct command {
  std::vector<std::string> arguments;         ///< the first is the program: a name looked up in PATH, or a path
  std::filesystem::path directory;            ///< empty: the caller's
  std::vector<std::string> environment = {};  ///< "NAME=value"; instead of a variable of the same name

  /// Whether any argument contains `{n}`.
  [[nodiscard]] bool takes_count() const;
  /// The same command with every `{n}` in every argument replaced.
  [[nodiscard]] command with_count(std::uint64_t n) const;
  /// The same for `{port}`.
  [[nodiscard]] bool takes_port() const;
  [[nodiscard]] command with_port(std::uint16_t port) const;
  /// As typed in a shell.
  [[nodiscard]] std::string text() const;
};

/// A line for `/bin/sh -c`.
[[nodiscard]] command shell_command(std::string line, std::filesystem::path directory = {});

/// The file of `program`, as found by execvp(); a relative path is relative to `directory`.
///
/// The error says whether it is missing, a folder, or not executable, because the kernel's own error comes too late and
/// is too terse.
[[nodiscard]] base::result<std::filesystem::path> find_program(const std::string& program,
                                                               const std::filesystem::path& directory = {});

}  // namespace tare::measure
