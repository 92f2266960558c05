#pragma once

#include "base/error.hpp"

#include <sys/types.h>

#include <vector>

namespace tare::base {

/// The descendants of `ancestor`, without itself and without zombies.
///
/// A snapshot taken process by process: a process that starts meanwhile may be missing.
[[nodiscard]] result<std::vector<pid_t>> descendants(pid_t ancestor);

}  // namespace tare::base
