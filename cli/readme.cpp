#include "cli/readme.hpp"

#include <fmt/format.h>

namespace tare::cli {
namespace {

constexpr std::string_view begin_mark = "<!-- race: ";
constexpr std::string_view mark_end = " -->\n";
constexpr std::string_view end_mark = "<!-- race end -->";

/// The offsets of the marks in a document.
struct marks {
  std::size_t name = 0;      ///< where the file's name begins
  std::size_t name_end = 0;  ///< and ends
  std::size_t end = 0;       ///< where the second mark begins
};

base::result<marks> find_marks(std::string_view document, const std::filesystem::path& file) {
  const auto first = document.find(begin_mark);
  const auto name = first + begin_mark.size();
  const auto name_end = first == std::string_view::npos ? first : document.find(mark_end, name);
  const auto end = name_end == std::string_view::npos ? name_end : document.find(end_mark, name_end);
  if (end == std::string_view::npos) {
    return base::input_error(fmt::format("{} has no place for results: the lines '{}FILE -->' and '{}'", file.string(),
                                         begin_mark, end_mark));
  }
  return marks{.name = name, .name_end = name_end, .end = end};
}

}  // namespace

base::result<std::filesystem::path> results_named_in(std::string_view document, const std::filesystem::path& file) {
  const auto found = find_marks(document, file);
  if (!found) return std::unexpected(found.error());
  return file.parent_path() / document.substr(found->name, found->name_end - found->name);
}

base::result<std::string> with_part(std::string_view document, const std::filesystem::path& file,
                                    std::string_view results, std::string_view part) {
  const auto found = find_marks(document, file);
  if (!found) return std::unexpected(found.error());
  return fmt::format("{}{}{}{}{}", document.substr(0, found->name), results, mark_end, part,
                     document.substr(found->end));
}

}  // namespace tare::cli
