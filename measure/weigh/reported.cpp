#include "measure/weigh/reported.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

namespace tare::measure {

void report_reader::feed(std::string_view bytes) {
  for (const char byte : bytes) {
    if (byte == '\n') {
      if (!too_long_) take_line();
      line_.clear();
      too_long_ = false;
    } else if (line_.size() < longest_line) {
      line_ += byte;
    } else {
      too_long_ = true;
    }
  }
}

void report_reader::take_line() {
  std::string_view line = line_;
  if (line.ends_with('\r')) line.remove_suffix(1);
  const auto equals = line.find('=');
  if (equals == 0 || equals == std::string_view::npos) return;
  const std::string_view key = line.substr(0, equals);
  if (!std::ranges::all_of(key, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; })) return;
  const std::string_view text = line.substr(equals + 1);
  double value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (wrong != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return;
  if (values_.size() < max_keys || values_.contains(key)) values_.insert_or_assign(std::string(key), value);
}

}  // namespace tare::measure
