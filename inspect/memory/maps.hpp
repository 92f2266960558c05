#pragma once

#include "inspect/memory/address_space.hpp"

#include <string_view>

namespace tare::inspect {

/// The text of /proc/PID/maps. Lines that are none of it are left out; the rest is by address and without overlaps,
/// whatever the text.
[[nodiscard]] std::vector<memory_region> parse_maps(std::string_view text);

}  // namespace tare::inspect
