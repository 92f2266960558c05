#include "inspect/coroutine/readable_name.hpp"

#include "inspect/coroutine/part_symbol.hpp"

#include <llvm/Demangle/Demangle.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

namespace tare::inspect {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t index = 0; (index = text.find(from, index)) != std::string::npos; index += to.size()) {
    text.replace(index, from.size(), to);
  }
}

/// The end of a template argument that begins at `at`: the comma or bracket after it.
std::size_t argument_end(std::string_view text, std::size_t index) {
  int depth = 0;
  for (; index < text.size(); ++index) {
    const char c = text[index];
    if (depth == 0 && (c == ',' || c == '>')) return index;
    if (c == '<' || c == '(' || c == '[' || c == '{') ++depth;
    if (c == '>' || c == ')' || c == ']' || c == '}') --depth;
    if (depth < 0) return index;
  }
  return index;
}

/// Removes ", std::allocator<...>" and its like, which are default arguments of containers.
void drop_default_arguments(std::string& text) {
  static constexpr std::array<std::string_view, 8> heads{
      ", std::allocator<", ", std::default_delete<",         ", std::less<", ", std::char_traits<", ", std::equal_to<",
      ", std::hash<",      ", boost::asio::any_io_executor", ", std::deque<"};
  for (std::size_t index = 0; index < text.size();) {
    if (text[index] != ',') {
      ++index;
      continue;
    }
    bool dropped = false;
    for (const auto head : heads) {
      if (!std::string_view(text).substr(index).starts_with(head)) continue;
      const std::size_t end = argument_end(text, index + 2);
      const char after = end < text.size() ? text[end] : '\0';
      if (after != '>' && after != ',') continue;
      text.erase(index, end - index);
      dropped = true;
      break;
    }
    if (!dropped) ++index;
  }
}

/// The position after the bracket that closes the one at `open`; the end of the text if there is none.
std::size_t behind_brackets(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t index = open; index < text.size(); ++index) {
    const char c = text[index];
    if (c == '<' || c == '(' || c == '[' || c == '{') ++depth;
    if ((c == '>' || c == ')' || c == ']' || c == '}') && --depth == 0) return index + 1;
  }
  return text.size();
}

/// clang's "$_0" and "'lambda'(int)", g++'s "{lambda(int)#1}".
void fold_lambdas(std::string& text) {
  for (std::size_t index = 0; (index = text.find_first_of("$'{", index)) != std::string::npos; ++index) {
    const std::string_view rest = std::string_view(text).substr(index);
    std::size_t bytes = 0;
    if (rest.starts_with("$_")) {
      bytes = 2;
      while (bytes < rest.size() && rest[bytes] >= '0' && rest[bytes] <= '9') ++bytes;
    } else if (rest.starts_with("'lambda")) {
      bytes = rest.find('\'', 1);
      if (bytes == std::string_view::npos) continue;
      ++bytes;
      // "<class T>" of one that is a template by its own words.
      if (bytes < rest.size() && rest[bytes] == '<') bytes = behind_brackets(rest, bytes);
      if (bytes < rest.size() && rest[bytes] == '(') bytes = behind_brackets(rest, bytes);
    } else if (rest.starts_with("{lambda(")) {
      bytes = behind_brackets(rest, 0);
    } else {
      continue;
    }
    text.replace(index, bytes, "{lambda}");
  }
}

/// g++ mangles a type local to a coroutine as a type of its actor, "f.actor", which demanglers cannot read.
std::string without_actors(std::string_view symbol) {
  std::string text(without_clone_suffixes(symbol));
  constexpr std::string_view suffix = ".actor";
  for (std::size_t index = 0; (index = text.find(suffix, index)) != std::string::npos;) {
    if (index + suffix.size() == text.size()) break;
    text.erase(index, suffix.size());
  }
  return text;
}

/// "f(f(int)::_Z1fi.Frame*)", which then stands for the coroutine: "f(int)".
void fold_frames(std::string& text) {
  constexpr std::string_view end = ".Frame*)";
  for (std::size_t index = 0; (index = text.find(end, index)) != std::string::npos;) {
    const std::size_t type = text.rfind("::_Z", index);
    std::size_t open = index + end.size() - 1;
    for (int depth = 0; open > 0; --open) {
      if (text[open] == ')') ++depth;
      if (text[open] == '(' && --depth == 0) break;
    }
    if (type == std::string::npos || type < open) break;
    std::size_t parameters = type;
    for (int depth = 0; parameters > open; --parameters) {
      if (text[parameters] == ')') ++depth;
      if (text[parameters] == '(' && --depth == 0) break;
    }
    const std::string kept = text.substr(parameters, type - parameters);
    text.replace(open, index + end.size() - open, kept);
    index = open + kept.size();
  }
}

/// For a lambda in a function template the demangler puts the template's return type in front: "task<int>
/// f<int>(int)::{lambda}::operator()". The name begins after the last space before the first parameters.
void drop_return_type(std::string& text) {
  constexpr std::string_view nameless = "(anonymous namespace)";
  const std::string_view all = text;
  std::size_t name = 0;
  std::size_t index = 0;
  int depth = 0;
  for (; index < all.size() && (depth != 0 || all[index] != '('); ++index) {
    const char c = all[index];
    if (c == '<' || c == '(' || c == '[' || c == '{') ++depth;
    if (c == '>' || c == ')' || c == ']' || c == '}') --depth;
    if (depth != 0 || c != ' ') continue;
    // The text after it belongs to the name: "operator bool".
    if (all.substr(0, index).ends_with("operator")) break;
    name = index + 1;
  }
  // "void (*f<int>(int))(char)::{lambda}::operator()": the return type is around the name.
  const bool around = index == name && !all.substr(name).starts_with(nameless);
  if (name != 0 && index < all.size() && !around) text.erase(0, name);
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
  const std::string terminated = without_actors(name);
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
  fold_frames(text);
  drop_return_type(text);
  return without_noise(std::move(text));
}

std::string declared_name(std::string_view linkage_name) {
  std::string terminated = without_actors(linkage_name);
  llvm::ItaniumPartialDemangler demangler;
  if (demangler.partialDemangle(terminated.c_str()) || !demangler.isFunction()) return terminated;
  std::string name = taken(demangler.getFunctionBaseName(nullptr, nullptr));
  if (name == "operator()") {
    std::string text = taken(demangler.getFunctionDeclContextName(nullptr, nullptr));
    fold_lambdas(text);
    if (text.ends_with("{lambda}")) return {};
  }
  return name.substr(0, name.find('['));  // [abi:...]
}

}  // namespace tare::inspect
