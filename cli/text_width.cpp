#include "cli/text_width.hpp"

#include <algorithm>

namespace tare::cli {
namespace {

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

}  // namespace

std::size_t text_width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, begins_character));
}

std::string_view clipped(std::string_view text, std::size_t columns) {
  std::size_t begun = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (begins_character(text[at]) && ++begun > columns) return text.substr(0, at);
  }
  return text;
}

}  // namespace tare::cli
