#include "measure/process/tail.hpp"

#include <algorithm>

namespace tare::measure {

void tail::feed(std::string_view bytes) {
  if (bytes.size() >= limit_) {
    kept_ = bytes.substr(bytes.size() - limit_);
    return;
  }
  const std::size_t room = limit_ - bytes.size();
  if (kept_.size() > room) kept_.erase(0, kept_.size() - room);
  kept_ += bytes;
}

std::string tail::last_line() const {
  constexpr std::size_t longest = 200;
  constexpr std::string_view blank = " \t\r\n\v\f";
  const std::string_view all = kept_;
  const auto last = all.find_last_not_of(blank);
  if (last == std::string_view::npos) return {};
  std::string_view line = all.substr(0, last + 1);
  line.remove_prefix(std::min(line.size(), line.find_last_of('\n') + 1));  // npos + 1 is 0
  line.remove_prefix(std::min(line.size(), line.find_first_not_of(blank)));

  std::string shown(line.substr(0, longest));
  if (line.size() > longest) {
    // Not in the middle of a UTF-8 character.
    while (!shown.empty() && (static_cast<unsigned char>(line[shown.size()]) & 0xC0U) == 0x80U) shown.pop_back();
    shown += "...";
  }
  std::ranges::replace_if(shown, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return shown;
}

}  // namespace tare::measure
