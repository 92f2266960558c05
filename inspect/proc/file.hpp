#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "inspect/error.hpp"

namespace tare::inspect {

/// The whole of a file below /proc, whose size is not known before it is read; at most 1 MiB of it.
[[nodiscard]] result<std::string> read_proc_file(const std::string& path);

/// The same for /proc/PID/NAME.
[[nodiscard]] result<std::string> read_proc_file(pid_t pid, std::string_view name);

}  // namespace tare::inspect
