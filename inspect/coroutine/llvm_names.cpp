#include "inspect/coroutine/llvm_names.hpp"

#include "inspect/coroutine/readable_name.hpp"

#include <utility>

namespace tare::inspect {
namespace {

constexpr std::string_view frame_type_scope = ".coro_frame_ty::";

std::string_view without_number(std::string_view name) {
  const auto found = name.find_last_not_of("0123456789");
  return found == std::string_view::npos || found + 1 == name.size() || name[found] != '_' ? name
                                                                                           : name.substr(0, found);
}

}  // namespace

std::string_view without_frame_scope(std::string_view type) {
  const auto scope = type.rfind(frame_type_scope);
  return scope == std::string_view::npos ? type : type.substr(scope + frame_type_scope.size());
}

std::string llvm_spelling(std::string_view type) {
  std::string stem;
  int depth = 0;
  for (const char c : type) {
    if (c == '<') ++depth;
    if (depth == 0) stem += c == ':' || c == '.' ? '_' : c;
    if (c == '>' && depth > 0) --depth;
  }
  return stem;
}

std::string_view stem_of_field(std::string_view type) {
  type = without_frame_scope(type);
  for (const std::string_view head : {"struct_", "class_", "union_"}) {
    if (type.starts_with(head)) return type.substr(head.size());
  }
  return {};
}

std::string readable_stem(std::string_view stem) {
  std::string text(without_number(stem));
  for (std::size_t index = 0; (index = text.find("__", index)) != std::string::npos; index += 2) {
    // Of four the last two belong to the name that follows: std::__cxx11.
    text.replace(index, 2, "::");
    if (text.compare(index + 2, 2, "__") == 0) index += 2;
  }
  return without_noise(std::move(text));
}

bool same_stem(std::string_view of_field, std::string_view of_variable) {
  for (const auto name : {of_field, without_number(of_field)}) {
    if (name == of_variable) return true;
    if (of_variable.size() > name.size() + 2 && of_variable.ends_with(name) &&
        of_variable.substr(of_variable.size() - name.size() - 2, 2) == "__") {
      return true;
    }
  }
  return false;
}

}  // namespace tare::inspect
