#include "inspect/coroutine/part_symbol.hpp"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <string>

namespace tare::inspect {
namespace {

bool remove_suffix(std::string_view& text, std::string_view suffix) {
  if (text.size() <= suffix.size() || !text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

/// Removes a suffix such as ".17"; false if there is none.
bool remove_number(std::string_view& text) {
  const auto last = text.find_last_not_of("0123456789");
  if (last == std::string_view::npos || last == 0 || text[last] != '.' || last + 1 == text.size()) return false;
  text = text.substr(0, last);
  return true;
}

/// g++ names the frame's type after the coroutine's own symbol: _Z<function>P<scope>E<length>_Z...Frame.
std::string_view coroutine_of_gcc_stem(std::string_view stem) {
  constexpr std::size_t suffix = 6;  // ".Frame"
  for (std::size_t index = stem.find("_Z", 2); index != std::string_view::npos; index = stem.find("_Z", index + 1)) {
    const std::string expected = fmt::format("{}", stem.size() - index + suffix);
    if (index >= expected.size() && stem.substr(index - expected.size(), expected.size()) == expected) {
      return stem.substr(index);
    }
  }
  return stem;
}

}  // namespace

std::string_view without_clone_suffixes(std::string_view symbol) {
  static constexpr std::array<std::string_view, 7> kinds{".lto_priv", ".llvm",  ".cold",     ".part",
                                                         ".isra",     ".clone", ".constprop"};
  for (bool removed = true; removed;) {
    removed = remove_number(symbol);
    for (const auto kind : kinds) removed = remove_suffix(symbol, kind) || removed;
  }
  return symbol;
}

std::optional<part_symbol> part_symbol_of(std::string_view symbol) {
  std::string_view stem = without_clone_suffixes(symbol);
  const std::string_view suffixes = symbol.substr(stem.size());
  part_symbol part;
  part.whole = !suffixes.contains(".cold") && !suffixes.contains(".part");
  if (remove_suffix(stem, ".Frame.actor")) {
    part.made_by = producer::gcc;
  } else if (remove_suffix(stem, ".Frame.destroy")) {
    part.made_by = producer::gcc;
    part.role = function_role::destroy;
  } else if (remove_suffix(stem, ".destroy")) {
    part.role = function_role::destroy;
  } else if (remove_suffix(stem, ".cleanup")) {
    part.role = function_role::cleanup;
  } else if (!remove_suffix(stem, ".resume")) {
    return std::nullopt;
  }
  part.coroutine = without_clone_suffixes(part.made_by == producer::gcc ? coroutine_of_gcc_stem(stem) : stem);
  return part;
}

std::optional<part_symbol> body_of(std::string_view symbol) {
  const auto part = part_symbol_of(symbol);
  return part && part->whole && part->role == function_role::resume ? part : std::nullopt;
}

}  // namespace tare::inspect
