#include "symbols/coroutine_symbol.hpp"

#include <cxxabi.h>

#include <array>
#include <cstdlib>
#include <memory>

namespace tare::detail {

namespace {

/// g++ names its frame after the coroutine, and the function after both: <function>P<scope>E<length>_Z….Frame
std::string_view named_in_frame(std::string_view stem) noexcept {
  for (std::size_t position = stem.find("_Z", 2); position != std::string_view::npos;
       position = stem.find("_Z", position + 1)) {
    const std::string length = std::to_string(stem.size() - position);
    if (stem.substr(0, position).ends_with(length))
      return stem.substr(position, stem.size() - position - std::string_view(".Frame").size());
  }
  return stem.substr(0, stem.size() - std::string_view(".Frame").size());
}

}  // namespace

std::string_view coroutine_symbol(std::string_view symbol) noexcept {
  constexpr std::array<std::string_view, 3> of_clang{".resume", ".destroy", ".cleanup"};
  constexpr std::array<std::string_view, 2> of_gcc{".actor", ".destroy"};
  for (const std::string_view suffix : of_gcc) {
    if (!symbol.ends_with(suffix)) continue;
    if (const auto stem = symbol.substr(0, symbol.size() - suffix.size()); stem.ends_with(".Frame")) {
      return named_in_frame(stem);
    }
  }
  for (const std::string_view suffix : of_clang) {
    if (symbol.ends_with(suffix)) return symbol.substr(0, symbol.size() - suffix.size());
  }
  return symbol;
}

std::string readable_name(std::string_view symbol) {
  std::string name(coroutine_symbol(symbol));
  int failure = 0;
  const std::unique_ptr<char, decltype(&std::free)> readable(
      ::abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &failure), &std::free);
  if (readable != nullptr) name = readable.get();
  return name;
}

}  // namespace tare::detail
