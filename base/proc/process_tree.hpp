#pragma once

#include <sys/types.h>

#include <vector>

#include "base/error.hpp"

namespace tare::base {

/// The processes below `ancestor`, without itself and without those that have ended and are not yet collected.
///
/// A snapshot taken process by process: one that starts meanwhile may be missing.
[[nodiscard]] result<std::vector<pid_t>> descendants(pid_t ancestor);

}  // namespace tare::base
