#pragma once

// Parses the text files in /proc. The format is not trusted: every function accepts any bytes, and returns nothing if
// it does not find what it needs.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace tare::base {

/// The value of a line "KEY:   123 kB", in bytes.
[[nodiscard]] std::optional<std::uint64_t> find_kilobytes(std::string_view text, std::string_view key);

/// The value of a line "KEY : some words", without surrounding whitespace.
[[nodiscard]] std::optional<std::string_view> find_value(std::string_view text, std::string_view key);

/// The part of /proc/PID/stat that is used here.
struct process_stat {
  pid_t parent = 0;
  char state = '?';
  std::uint64_t reaped_ticks = 0;  ///< CPU time of its children that have ended and been waited for

  friend bool operator==(const process_stat&, const process_stat&) = default;
};

[[nodiscard]] std::optional<process_stat> parse_stat(std::string_view text);

}  // namespace tare::base
