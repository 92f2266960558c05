#pragma once

#include "inspect/memory/address_space.hpp"

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::inspect {

/// The text of /proc/PID/maps. Lines that are none of it are left out; the rest is by address and without overlaps,
/// whatever the text.
[[nodiscard]] std::vector<memory_region> parse_maps(std::string_view text);

/// The text of /proc/PID/smaps: how many bytes of each mapping are in memory, by where it begins.
[[nodiscard]] std::vector<std::pair<std::uint64_t, std::uint64_t>> parse_resident(std::string_view text);

}  // namespace tare::inspect
