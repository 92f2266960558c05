#include "cli/numbers.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>

namespace tare::cli {
namespace {

/// What is wrong with a text; empty if nothing is.
std::string count_problem(const std::string& text) {
  std::uint64_t n = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (wrong == std::errc{} && end == text.data() + text.size()) return {};
  return fmt::format("'{}' is not a number of tasks", text);
}

std::string time_limit_problem(const std::string& text) {
  constexpr double most = 1e6;
  double seconds = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (wrong == std::errc{} && end == text.data() + text.size() && seconds > 0 && seconds <= most) return {};
  return fmt::format("'{}' is not a time: seconds, above 0, at most {}", text, most);
}

}  // namespace

CLI::Validator a_count() { return {count_problem, ""}; }
CLI::Validator a_time_limit() { return {time_limit_problem, ""}; }

}  // namespace tare::cli
