#pragma once

// The frames as they once were: a check that fails on growth needs no numbers from anyone. A TOML file that is kept
// with the source, so that a change of it is seen in review, with a section for each compiler, since these differ:
//
//   [frames.clang]
//   "server::serve(tare::net::stream)" = 256
//   "main::{lambda}::operator()() const" = [ 48, 136 ]    # several of one name, in the order of their lines

#include "inspect/facts/budget.hpp"

#include <map>
#include <string>
#include <vector>

namespace tare::inspect {

/// Readable names to the frames of the coroutines of that name, in the order in which they are declared: the lambdas of
/// one function have one name, for example.
using recorded_frames = std::map<std::string, std::vector<std::uint64_t>>;
/// By the name of the compiler (`name_of`); under an empty name what a file of an older version has, which holds for
/// each compiler that has no section of its own.
using ratchet = std::map<std::string, recorded_frames>;

[[nodiscard]] ratchet record_frames(std::span<const coroutine> all);
[[nodiscard]] std::size_t count_frames(const ratchet& frames);
[[nodiscard]] std::string ratchet_text(const ratchet& frames);

/// An error begins with the file and the line.
[[nodiscard]] base::result<ratchet> read_ratchet(const std::filesystem::path& file);
[[nodiscard]] base::result<ratchet> parse_ratchet(std::string_view text, const std::filesystem::path& file);

/// Those that grew. New names are not violations: they have no past. Where a name has more or fewer coroutines than it
/// had, it is not known which of them is new, and the largest are compared with the largest.
[[nodiscard]] std::vector<violation> check_ratchet(std::span<const coroutine> all, const ratchet& before);

}  // namespace tare::inspect
