#pragma once

#include "inspect/memory/address_space.hpp"

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::inspect {

/// Parses the text of /proc/PID/maps. Invalid lines are skipped; the result is sorted by address and has no overlaps,
/// whatever the text.
[[nodiscard]] std::vector<memory_region> parse_maps(std::string_view text);

/// Parses the text of /proc/PID/smaps: the resident bytes of each mapping, by its first address.
[[nodiscard]] std::vector<std::pair<std::uint64_t, std::uint64_t>> parse_resident(std::string_view text);

}  // namespace tare::inspect
