#pragma once

#include <expected>
#include <filesystem>
#include <string>

namespace service {

/// The folder for what a program keeps between runs, following the XDG Base Directory Specification: `tare` in
/// $XDG_STATE_HOME, or in ~/.local/state. Created, accessible only to this user, if it does not exist. The error is a
/// sentence.
[[nodiscard]] std::expected<std::filesystem::path, std::string> make_state_folder();

}  // namespace service
