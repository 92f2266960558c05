#pragma once

#include "base/error.hpp"

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace tare::base {

inline constexpr std::size_t max_proc_file_bytes = std::size_t{1} << 20U;

/// The content of a file in /proc, whose size is unknown before it is read; limited to the given number of bytes.
[[nodiscard]] result<std::string> read_proc_file(const std::string& path, std::size_t most = max_proc_file_bytes);

/// The same for /proc/PID/NAME.
[[nodiscard]] result<std::string> read_proc_file(pid_t pid, std::string_view name,
                                                 std::size_t most = max_proc_file_bytes);

}  // namespace tare::base
