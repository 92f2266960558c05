#include "cli/readme.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tare::cli {
namespace {

constexpr std::string_view headline_mark = "<!-- race: ";
constexpr std::string_view connections_mark = "<!-- race connections: ";
constexpr std::string_view mark_end = " -->\n";
constexpr std::string_view end_mark = "<!-- race end -->";

}  // namespace

base::result<std::vector<marked_part>> parts_of(std::string_view document, const std::filesystem::path& file) {
  std::vector<marked_part> parts;
  for (std::size_t index = 0;;) {
    const auto headline = document.find(headline_mark, index);
    const auto connections = document.find(connections_mark, index);
    const auto first = std::min(headline, connections);
    if (first == std::string_view::npos && !parts.empty()) return parts;
    const bool is_headline = first == headline;
    const auto name = first + (is_headline ? headline_mark : connections_mark).size();
    const auto name_end = first == std::string_view::npos ? first : document.find(mark_end, name);
    const auto end = name_end == std::string_view::npos ? name_end : document.find(end_mark, name_end);
    if (end == std::string_view::npos) {
      return base::input_error(fmt::format("{} has no place for results: the lines '{}FILE -->' and '{}'",
                                           file.string(), headline_mark, end_mark));
    }
    parts.push_back({.what = is_headline ? part_kind::headline : part_kind::connections,
                     .results = std::string(document.substr(name, name_end - name)),
                     .name = name,
                     .name_end = name_end,
                     .end = end});
    index = end;
  }
}

std::string with_part(std::string_view document, const marked_part& part, std::string_view results,
                      std::string_view text) {
  return fmt::format("{}{}{}{}{}", document.substr(0, part.name), results, mark_end, text, document.substr(part.end));
}

}  // namespace tare::cli
