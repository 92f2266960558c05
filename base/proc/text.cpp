#include "base/proc/text.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace tare::base {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view blank = " \t\r";
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(blank)));
  return text.substr(0, text.find_last_not_of(blank) + 1);
}

/// Cuts off and returns everything up to `separator`, or the rest.
std::string_view take_until(std::string_view& text, char separator) {
  const auto found = text.find(separator);
  const auto taken = text.substr(0, found);
  text.remove_prefix(found == std::string_view::npos ? text.size() : found + 1);
  return taken;
}

template <class Number>
std::optional<Number> to_number(std::string_view digits) {
  Number value{};
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (wrong != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::string_view> find_value(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    if (!line.contains(':')) continue;
    if (trim(take_until(line, ':')) == key) return trim(line);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> find_kilobytes(std::string_view text, std::string_view key) {
  constexpr std::string_view unit = " kB";
  constexpr std::uint64_t bytes_in_unit = 1024;
  auto value = find_value(text, key);
  if (!value || !value->ends_with(unit)) return std::nullopt;
  value->remove_suffix(unit.size());
  const auto kilobytes = to_number<std::uint64_t>(trim(*value));
  if (!kilobytes || *kilobytes > std::numeric_limits<std::uint64_t>::max() / bytes_in_unit) return std::nullopt;
  return *kilobytes * bytes_in_unit;
}

std::optional<process_stat> parse_stat(std::string_view text) {
  // pid (name) state ppid ... : the name may contain spaces and parentheses, so the fields start after the last
  // parenthesis.
  const auto name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  text.remove_prefix(name_end + 1);
  text = trim(text.substr(0, text.find('\n')));

  // proc(5) numbers the fields from 1, and the state is the third.
  constexpr int state = 3;
  constexpr int parent = 4;
  constexpr int children_user_ticks = 16;
  constexpr int children_system_ticks = 17;
  process_stat stat;
  for (int field = state; field <= children_system_ticks; ++field) {
    if (text.empty()) return std::nullopt;
    const std::string_view word = take_until(text, ' ');
    if (field == state) {
      if (word.size() != 1) return std::nullopt;
      stat.state = word.front();
    } else if (field == parent) {
      const auto pid = to_number<pid_t>(word);
      if (!pid || *pid < 0) return std::nullopt;
      stat.parent = *pid;
    } else if (field == children_user_ticks || field == children_system_ticks) {
      const auto ticks = to_number<std::int64_t>(word);
      if (!ticks || *ticks < 0 || *ticks > std::numeric_limits<std::int64_t>::max() / 2) return std::nullopt;
      stat.reaped_ticks += static_cast<std::uint64_t>(*ticks);
    }
  }
  return stat;
}

}  // namespace tare::base
