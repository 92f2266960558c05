#pragma once

// Which calls of a program are simulated.

#include "sim/kernel.hpp"

#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>

namespace tare::sim::detail {

/// Of the caller, if the descriptor is simulated. Standard output and error stay real; so do files that the simulation
/// has opened for the program.
[[nodiscard]] inline kernel* simulating(int fd, const char* call) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr || kernel::is_simulated(fd) || fd == STDOUT_FILENO || fd == STDERR_FILENO) {
    return kernel::is_simulated(fd) ? in : nullptr;
  }
  if (fd < 0) return in;  // EBADF
  if (in->is_real_file(fd)) return nullptr;
  kernel::refuse(call);
}

/// A file whose content the simulation makes up; nullopt if `path` is none.
[[nodiscard]] std::optional<std::string> content_of(kernel& in, std::string_view path);
/// Files of the real system that a program may read, if its disk has none of that name: certificates and libraries.
[[nodiscard]] bool may_read(std::string_view path) noexcept;
/// What no disk has: files through which a system talks to its programs.
[[nodiscard]] bool is_of_system(std::string_view path) noexcept;
/// True if a call that reads `path` means the real file.
[[nodiscard]] bool means_real_file(kernel& in, std::string_view path);

}  // namespace tare::sim::detail
