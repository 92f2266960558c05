#pragma once

// Errors of the tools: a value with one line of text for the user.

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace tare::base {

enum class fault {
  command,      ///< the inspected program could not be started, or did not do what was expected
  input,        ///< a file written by the user is invalid
  interrupted,  ///< the caller asked to stop
  system,       ///< the kernel refused something
};

struct error {
  fault kind = fault::system;
  std::string message;  ///< one line, without a full stop and without the program's name as a prefix
};

template <class T>
using result = std::expected<T, error>;

/// An error of the kernel: "WHAT: No such file or directory".
[[nodiscard]] std::unexpected<error> system_error(std::string_view what, int number);

[[nodiscard]] inline std::unexpected<error> command_error(std::string message) {
  return std::unexpected(error{fault::command, std::move(message)});
}

[[nodiscard]] inline std::unexpected<error> input_error(std::string message) {
  return std::unexpected(error{fault::input, std::move(message)});
}

[[nodiscard]] inline std::unexpected<error> interrupted_error() {
  return std::unexpected(error{fault::interrupted, "interrupted"});
}

}  // namespace tare::base
