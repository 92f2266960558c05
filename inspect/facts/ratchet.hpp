#pragma once

// The frames as they once were: a check that fails on growth needs no numbers from anyone. A TOML file that is kept
// with the source, so that a change of it is seen in review:
//
//   [frames]
//   "server::serve(tare::net::stream)" = 256

#include "inspect/facts/budget.hpp"

#include <map>
#include <string>

namespace tare::inspect {

/// Readable names to frames; of several of one name the largest.
using ratchet = std::map<std::string, std::uint64_t>;

[[nodiscard]] ratchet record_frames(std::span<const coroutine> all);
[[nodiscard]] std::string ratchet_text(const ratchet& frames);

/// An error begins with the file and the line.
[[nodiscard]] base::result<ratchet> read_ratchet(const std::filesystem::path& file);
[[nodiscard]] base::result<ratchet> parse_ratchet(std::string_view text, const std::filesystem::path& file);

/// Those that grew. New ones are not violations: they have no past.
[[nodiscard]] std::vector<violation> check_ratchet(std::span<const coroutine> all, const ratchet& before);

}  // namespace tare::inspect
