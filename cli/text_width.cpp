#include "cli/text_width.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <system_error>

namespace tare::cli {
namespace {

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

}  // namespace

std::size_t text_width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, begins_character));
}

std::string end_of(std::string_view text, std::size_t columns) {
  const std::size_t width = text_width(text);
  if (width <= columns) return std::string(text);
  if (columns == 0) return {};
  return "…" + std::string(text.substr(clipped(text, width - columns + 1).size()));
}

std::size_t screen_width() {
  constexpr std::size_t most = 10'000;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
  if (const char* const columns = std::getenv("COLUMNS"); columns != nullptr) {
    std::size_t number = 0;
    const std::string_view digits = columns;
    const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (wrong == std::errc() && end == digits.data() + digits.size() && number > 0) return std::min(number, most);
  }
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

std::string_view clipped(std::string_view text, std::size_t columns) {
  std::size_t begun = 0;
  for (std::size_t index = 0; index < text.size(); ++index) {
    if (begins_character(text[index]) && ++begun > columns) return text.substr(0, index);
  }
  return text;
}

}  // namespace tare::cli
