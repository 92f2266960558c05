#pragma once

// Recorded frames, for a check that fails when a frame grows. They are in a TOML file that is kept with the source, so
// that changes are reviewed, with one section per compiler, because compilers differ:
//
//   [frames.clang]
//   "server::serve(tare::net::stream)" = 256
//   "main::{lambda}::operator()() const" = [ 48, 136 ]    # several of one name, in the order of their lines

#include "inspect/facts/budget.hpp"

#include <map>
#include <string>
#include <vector>

namespace tare::inspect {

/// The frames of coroutines by readable name, in the order of their declarations: all lambdas of a function have the
/// same name, for example.
using recorded_frames = std::map<std::string, std::vector<std::uint64_t>>;
/// By the name of the compiler (`name_of`). Files of older versions use an empty name, which applies to each compiler
/// without a section of its own.
using ratchet = std::map<std::string, recorded_frames>;

[[nodiscard]] ratchet record_frames(std::span<const coroutine> all);
[[nodiscard]] std::size_t count_frames(const ratchet& frames);
[[nodiscard]] std::string ratchet_text(const ratchet& frames);

/// An error begins with the place: file, line and column.
[[nodiscard]] base::result<ratchet> read_ratchet(const std::filesystem::path& file);
[[nodiscard]] base::result<ratchet> parse_ratchet(std::string_view text, const std::filesystem::path& file);

/// The frames that grew. New names are not violations. If the number of coroutines with a name has changed, it is not
/// known which of them is new; then the largest are compared with the largest.
[[nodiscard]] std::vector<violation> check_ratchet(std::span<const coroutine> all, const ratchet& before);

}  // namespace tare::inspect
