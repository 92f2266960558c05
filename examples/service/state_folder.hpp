#pragma once

#include <expected>
#include <filesystem>
#include <string>

namespace service {

/// The folder for what a program keeps between two runs, as the XDG Base Directory Specification has it: `tare` in
/// $XDG_STATE_HOME, or in ~/.local/state. Created, for this user alone, if it does not exist. The error is a sentence.
[[nodiscard]] std::expected<std::filesystem::path, std::string> make_state_folder();

}  // namespace service
