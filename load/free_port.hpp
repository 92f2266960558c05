#pragma once

#include "base/error.hpp"

#include <cstdint>

namespace tare::load {

/// A port of 127.0.0.1 that is free now. If another program takes it first, the one that wants it reports that.
[[nodiscard]] base::result<std::uint16_t> free_port();

}  // namespace tare::load
