#include "cli/figures.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>

namespace tare::cli {

std::string with_commas(std::uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (auto found = static_cast<std::ptrdiff_t>(digits.size()) - 3; found > 0; found -= 3) {
    digits.insert(static_cast<std::size_t>(found), 1, ',');
  }
  return digits;
}

std::string per_task(double bytes) {
  if (bytes < 0) return "-" + per_task(-bytes);
  if (bytes < 100) return fmt::format("{:.1f}", bytes);
  return with_commas(static_cast<std::uint64_t>(std::llround(bytes)));
}

std::string megabytes(std::uint64_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

std::string readable_bytes(std::uint64_t bytes) {
  constexpr std::uint64_t readable_as_it_is = 1'000'000;
  return bytes < readable_as_it_is ? with_commas(bytes) + " bytes" : megabytes(bytes);
}

std::string with_sign(std::int64_t number) {
  const auto size = static_cast<std::uint64_t>(number);
  return (number < 0 ? "-" : "+") + with_commas(number < 0 ? 0 - size : size);
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "?";
  return fmt::format("{:.1f} %", 100 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string readable_seconds(double seconds) {
  return seconds < 1 ? fmt::format("{:.0f} ms", seconds * 1e3) : fmt::format("{:.1f} s", seconds);
}

std::string readable_nanoseconds(double nanoseconds) {
  if (nanoseconds >= 1000) return fmt::format("{:.1f} µs", nanoseconds / 1000);
  return nanoseconds < 100 ? fmt::format("{:.1f} ns", nanoseconds) : fmt::format("{:.0f} ns", nanoseconds);
}

}  // namespace tare::cli
