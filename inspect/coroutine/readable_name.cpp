#include "inspect/coroutine/readable_name.hpp"

#include <llvm/Demangle/Demangle.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

namespace tare::inspect {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

/// The end of a template argument that begins at `at`: the comma or bracket after it.
std::size_t argument_end(std::string_view text, std::size_t at) {
  int depth = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (depth == 0 && (c == ',' || c == '>')) return at;
    if (c == '<' || c == '(' || c == '[' || c == '{') ++depth;
    if (c == '>' || c == ')' || c == ']' || c == '}') --depth;
    if (depth < 0) return at;
  }
  return at;
}

/// Removes ", std::allocator<...>" and its like, which are what the containers have unless told otherwise.
void drop_default_arguments(std::string& text) {
  static constexpr std::array<std::string_view, 8> heads{
      ", std::allocator<", ", std::default_delete<",         ", std::less<", ", std::char_traits<", ", std::equal_to<",
      ", std::hash<",      ", boost::asio::any_io_executor", ", std::deque<"};
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != ',') {
      ++at;
      continue;
    }
    bool dropped = false;
    for (const auto head : heads) {
      if (!std::string_view(text).substr(at).starts_with(head)) continue;
      const std::size_t end = argument_end(text, at + 2);
      const char after = end < text.size() ? text[end] : '\0';
      if (after != '>' && after != ',') continue;
      text.erase(at, end - at);
      dropped = true;
      break;
    }
    if (!dropped) ++at;
  }
}

/// clang's "$_0" and "'lambda'(int)", g++'s "{lambda(int)#1}".
void fold_lambdas(std::string& text) {
  for (std::size_t at = 0; (at = text.find_first_of("$'{", at)) != std::string::npos; ++at) {
    const std::string_view rest = std::string_view(text).substr(at);
    std::size_t bytes = 0;
    if (rest.starts_with("$_")) {
      bytes = 2;
      while (bytes < rest.size() && rest[bytes] >= '0' && rest[bytes] <= '9') ++bytes;
    } else if (rest.starts_with("'lambda")) {
      bytes = rest.find('\'', 1);
      if (bytes == std::string_view::npos) continue;
      ++bytes;
      if (bytes < rest.size() && rest[bytes] == '(') bytes = argument_end(rest, bytes + 1) + 1;
    } else if (rest.starts_with("{lambda(")) {
      bytes = argument_end(rest, 1) + 1;
    } else {
      continue;
    }
    text.replace(at, std::min(bytes, rest.size()), "{lambda}");
  }
}

std::string taken(char* text) {
  const std::unique_ptr<char, void (*)(void*)> owner(text, std::free);
  return text == nullptr ? std::string() : text;
}

}  // namespace

std::string without_noise(std::string text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 13> short_forms{{
      {"std::__cxx11::", "std::"},
      {"std::__n4861::", "std::"},
      {"std::__1::", "std::"},
      {"[abi:cxx11]", ""},
      {"(anonymous namespace)::", ""},
      {"std::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string"},
      {"std::basic_string<char, std::char_traits<char>, std::allocator<char>>", "std::string"},
      {"std::basic_string_view<char, std::char_traits<char> >", "std::string_view"},
      {"std::basic_string_view<char, std::char_traits<char>>", "std::string_view"},
      {"std::chrono::duration<long, std::ratio<1l, 1000l> >", "std::chrono::milliseconds"},
      {"std::chrono::duration<long, std::ratio<1l, 1000l>>", "std::chrono::milliseconds"},
      {"boost::asio::", "asio::"},
      {"tare::task<void>", "tare::task<>"},
  }};
  for (const auto& [from, to] : short_forms) {
    if (from == "boost::asio::") drop_default_arguments(text);
    replace_all(text, from, to);
  }
  replace_all(text, "std::basic_string<char>", "std::string");
  replace_all(text, "std::basic_string_view<char>", "std::string_view");
  replace_all(text, " >", ">");
  return text;
}

std::string readable_function(std::string_view name) {
  const std::string terminated(name);
  llvm::ItaniumPartialDemangler demangler;
  if (demangler.partialDemangle(terminated.c_str())) {
    // Rust's own scheme, or a plain C name.
    std::string text = llvm::demangle(terminated);
    return without_noise(std::move(text));
  }
  if (!demangler.isFunction()) return without_noise(taken(demangler.finishDemangle(nullptr, nullptr)));
  std::string text =
      taken(demangler.getFunctionName(nullptr, nullptr)) + taken(demangler.getFunctionParameters(nullptr, nullptr));
  fold_lambdas(text);
  return without_noise(std::move(text));
}

}  // namespace tare::inspect
