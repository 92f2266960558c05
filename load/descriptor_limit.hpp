#pragma once

#include "base/error.hpp"

#include <cstdint>

namespace tare::load {

/// Raises the process's soft limit of descriptors so that `connections` fit, for this process and its children. An
/// error if the hard limit is too low.
[[nodiscard]] base::result<void> raise_descriptor_limit(std::uint64_t connections);

}  // namespace tare::load
