#pragma once

// The directions of a stream, for its time limits.

#include <cstdint>

namespace tare::net {

enum class direction : std::uint8_t { read = 1, write = 2, both = 3 };

}  // namespace tare::net
