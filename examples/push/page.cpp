#include "page.hpp"

#include <array>

// The files in page/, as they are.
// clang-format off
#define PUSH_EMBEDDED(name, file)                                        \
  __asm__(                                                               \
      ".pushsection .rodata\n"                                           \
      ".globl push_" #name "_begin, push_" #name "_end\n"                \
      ".hidden push_" #name "_begin, push_" #name "_end\n"               \
      "push_" #name "_begin:\n"                                          \
      ".incbin \"" PUSH_PAGE "/" file "\"\n"                             \
      "push_" #name "_end:\n"                                            \
      ".popsection\n");                                                  \
  extern "C" {                                                           \
  [[gnu::visibility("hidden")]] extern const char push_##name##_begin[]; \
  [[gnu::visibility("hidden")]] extern const char push_##name##_end[];   \
  }
// clang-format on

PUSH_EMBEDDED(html, "index.html")
PUSH_EMBEDDED(css, "page.css")
PUSH_EMBEDDED(js, "page.js")

namespace push {

std::span<const page_file> page_files() noexcept {
  static const std::array<page_file, 3> files{{
      {.path = "/", .type = "text/html; charset=utf-8", .text = {push_html_begin, push_html_end}},
      {.path = "/page.css", .type = "text/css; charset=utf-8", .text = {push_css_begin, push_css_end}},
      {.path = "/page.js", .type = "text/javascript; charset=utf-8", .text = {push_js_begin, push_js_end}},
  }};
  return files;
}

}  // namespace push
