#include "http/events/encoding.hpp"

#include <array>
#include <charconv>

namespace tare::http::detail {

namespace {

template <class Number>
std::string_view digits_of(Number number, std::array<char, 20>& room, int base) noexcept {
  const auto end = std::to_chars(room.data(), room.data() + room.size(), number, base).ptr;
  return {room.data(), static_cast<std::size_t>(end - room.data())};
}

/// Each line with the field's name, for every kind of line break; a client joins them with line feeds.
void append_lines(std::string& to, std::string_view name, std::string_view text) {
  for (;;) {
    const std::size_t end = text.find_first_of("\r\n");
    to.append(name).append(text.substr(0, end)).append("\n");
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + (text.substr(end).starts_with("\r\n") ? 2 : 1));
  }
}

}  // namespace

bool is_sendable(const event& sent) noexcept {
  constexpr std::string_view unsendable("\r\n\0", 3);
  return sent.name.find_first_of(unsendable) == std::string_view::npos &&
         sent.id.find_first_of(unsendable) == std::string_view::npos;
}

void append_event(std::string& to, const event& sent) {
  std::array<char, 20> room{};
  if (!sent.id.empty()) to.append("id: ").append(sent.id).append("\n");
  if (!sent.name.empty()) to.append("event: ").append(sent.name).append("\n");
  if (sent.retry.count() > 0) to.append("retry: ").append(digits_of(sent.retry.count(), room, 10)).append("\n");
  append_lines(to, "data: ", sent.data);
  to.append("\n");
}

void make_chunk(std::string& text, std::size_t begin) {
  std::array<char, 20> room{};
  std::string head(digits_of(text.size() - begin, room, 16));
  head.append("\r\n");
  text.insert(begin, head).append("\r\n");
}

}  // namespace tare::http::detail
