#include "cli/short_name.hpp"

#include <algorithm>
#include <array>

namespace tare::cli {
namespace {

/// "serve<int, long>(socket, std::string)" without the content of one kind of brackets, from this depth of brackets:
/// "serve<...>(...)".
std::string folded(std::string_view name, char open, char close, int from_depth) {
  constexpr std::array<std::string_view, 2> whole_words{"operator()", "(anonymous namespace)"};
  std::string text;
  int depth = 0;
  int folds = 0;  // the depth inside a part that is left out
  for (std::size_t index = 0; index < name.size(); ++index) {
    const char c = name[index];
    const auto* const word = std::ranges::find_if(
        whole_words, [&](std::string_view each) { return folds == 0 && name.substr(index).starts_with(each); });
    if (word != whole_words.end()) {
      text += *word;
      index += word->size() - 1;
      continue;
    }
    const bool opens = c == '<' || c == '(' || c == '{' || c == '[';
    const bool closes = (c == '>' || c == ')' || c == '}' || c == ']') && depth > 0;
    if (closes && folds == depth && c == close) {
      folds = 0;
    }
    if (closes) --depth;
    if (folds == 0) text += c;
    if (opens) ++depth;
    if (folds == 0 && depth >= from_depth && c == open && index + 1 < name.size() && name[index + 1] != close) {
      folds = depth;
      text += "...";
    }
  }
  return text;
}

}  // namespace

std::string short_name(std::string_view whole, std::size_t longest) {
  longest = std::max<std::size_t>(longest, 12);
  std::string name(whole);
  // Characters that a terminal would treat as a command or as the end of a line.
  std::ranges::replace_if(name, [](unsigned char c) { return c < ' ' || c == 0x7F; }, '?');
  if (name.size() <= longest) return name;
  name = folded(name, '(', ')', 1);
  for (int depth = 2; depth > 0 && name.size() > longest; --depth) name = folded(name, '<', '>', depth);
  if (name.size() <= longest) return name;
  const std::size_t head = longest * 2 / 3;
  const std::size_t tail = longest - head - 3;
  // Do not cut a multi-byte character.
  const auto is_middle = [&](std::size_t index) { return (static_cast<unsigned char>(name[index]) & 0xC0U) == 0x80U; };
  std::size_t cut = head;
  while (cut > 0 && is_middle(cut)) --cut;
  std::size_t from = name.size() - tail;
  while (from < name.size() && is_middle(from)) ++from;
  return name.substr(0, cut) + "..." + name.substr(from);
}

}  // namespace tare::cli
