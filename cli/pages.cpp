#include "cli/pages.hpp"

// The pages that cli/pages builds, embedded unchanged.
// clang-format off
#define TARE_EMBEDDED(name)                                              \
  __asm__(                                                               \
      ".pushsection .rodata\n"                                           \
      ".globl tare_" #name "_begin, tare_" #name "_end\n"                \
      ".hidden tare_" #name "_begin, tare_" #name "_end\n"               \
      "tare_" #name "_begin:\n"                                          \
      ".incbin \"" TARE_PAGES "/" #name ".html\"\n"                      \
      "tare_" #name "_end:\n"                                            \
      ".popsection\n");                                                  \
  extern "C" {                                                           \
  [[gnu::visibility("hidden")]] extern const char tare_##name##_begin[]; \
  [[gnu::visibility("hidden")]] extern const char tare_##name##_end[];   \
  }
// clang-format on

TARE_EMBEDDED(frames_page)
TARE_EMBEDDED(live_page)

namespace tare::cli {
namespace {

constexpr std::string_view marker = "\"@DATA@\"";

std::string_view empty_frames_page() noexcept { return {tare_frames_page_begin, tare_frames_page_end}; }
std::string_view empty_live_page() noexcept { return {tare_live_page_begin, tare_live_page_end}; }

}  // namespace

bool has_pages() noexcept { return empty_frames_page().contains(marker) && empty_live_page().contains(marker); }

base::result<void> need_pages() {
  if (has_pages()) return {};
  return std::unexpected(base::error{
      base::fault::system, "this tare was built without the page for --html: install npm and build it again"});
}

std::string frames_page(std::string_view json) {
  return filled_page(empty_frames_page(), marker, json).value_or(std::string());
}

std::string live_page(std::string_view json) {
  return filled_page(empty_live_page(), marker, json).value_or(std::string());
}

std::optional<std::string> filled_page(std::string_view empty, std::string_view its_marker, std::string_view json) {
  const auto found = empty.find(its_marker);
  if (found == std::string_view::npos) return std::nullopt;
  std::string page(empty.substr(0, found));
  page.reserve(empty.size() + json.size() + json.size() / 8);
  // Without "<" in the strings, nothing in them can end the element.
  for (const char c : json) {
    if (c == '<') {
      page += "\\u003c";
    } else {
      page += c;
    }
  }
  page += empty.substr(found + its_marker.size());
  return page;
}

}  // namespace tare::cli
