#include "cli/race_page.hpp"

namespace tare::cli {
namespace {

constexpr std::string_view marker = "\"@RESULTS@\"";

/// JSON that cannot end the script element it stands in: no "<" in its strings, which is all that HTML looks for.
std::string inside_html(std::string_view json) {
  std::string text;
  text.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

std::optional<std::string> race_page(const inspect::race_results& results, std::string_view empty_page) {
  const auto at = empty_page.find(marker);
  if (at == std::string_view::npos) return std::nullopt;
  std::string page(empty_page.substr(0, at));
  page += inside_html(inspect::to_json(results));
  page += empty_page.substr(at + marker.size());
  return page;
}

}  // namespace tare::cli
