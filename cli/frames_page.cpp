#include "cli/frames_page.hpp"

// The page that cli/frames_page builds, as it is.
__asm__(
    ".pushsection .rodata\n"
    ".globl tare_frames_page_begin, tare_frames_page_end\n"
    ".hidden tare_frames_page_begin, tare_frames_page_end\n"
    "tare_frames_page_begin:\n"
    ".incbin \"" TARE_FRAMES_PAGE
    "\"\n"
    "tare_frames_page_end:\n"
    ".popsection\n");

extern "C" {
[[gnu::visibility("hidden")]] extern const char tare_frames_page_begin[];
[[gnu::visibility("hidden")]] extern const char tare_frames_page_end[];
}

namespace tare::cli {
namespace {

constexpr std::string_view marker = "\"@FRAMES@\"";

std::string_view empty_page() noexcept { return {tare_frames_page_begin, tare_frames_page_end}; }

}  // namespace

bool has_frames_page() noexcept { return empty_page().contains(marker); }

std::string frames_page(std::string_view json) {
  const std::string_view empty = empty_page();
  const auto at = empty.find(marker);
  if (at == std::string_view::npos) return {};
  std::string page(empty.substr(0, at));
  page.reserve(empty.size() + json.size() + json.size() / 8);
  // No "<" in the strings, so that nothing can end the element that the JSON stands in.
  for (const char c : json) {
    if (c == '<') {
      page += "\\u003c";
    } else {
      page += c;
    }
  }
  page += empty.substr(at + marker.size());
  return page;
}

}  // namespace tare::cli
