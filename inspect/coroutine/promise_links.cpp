#include "inspect/coroutine/promise_links.hpp"

#include "inspect/dwarf/type_text.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

// Damaged debug information may contain a cycle.
constexpr int longest_chain = 8;
constexpr std::size_t max_links = 16;
constexpr std::size_t max_members = 256;

bool is_class(const llvm::DWARFDie& type) {
  const auto tag = type.getTag();
  return tag == dwarf::DW_TAG_class_type || tag == dwarf::DW_TAG_structure_type || tag == dwarf::DW_TAG_union_type;
}

/// Whether `type` is `wanted` or derives from it.
bool is_or_derives_from(llvm::DWARFDie type, const llvm::DWARFDie& wanted, int depth = 0) {
  type = without_aliases(type, true);
  if (!type.isValid() || depth > longest_chain) return false;
  // A class may be described more than once, also as a declaration.
  if (type == wanted || (!short_name(type).empty() && type_text(type) == type_text(wanted))) return true;
  for (const auto& child : type.children()) {
    if (child.getTag() == dwarf::DW_TAG_inheritance && is_or_derives_from(type_of(child), wanted, depth + 1)) {
      return true;
    }
  }
  return false;
}

/// With -gsimple-template-names the name has no template arguments, or they follow it.
bool is_handle(std::string_view type_name) {
  return type_name == "coroutine_handle" || type_name.starts_with("coroutine_handle<") ||
         type_name.starts_with("_STN|coroutine_handle|");
}

class finder {
 public:
  finder(const llvm::DWARFDie& promise, std::uint64_t offset) : promise_(promise) { look_into(promise, offset, {}, 0); }

  std::vector<promise_link> take() {
    std::ranges::sort(links_, {}, [](const promise_link& link) { return std::pair(rank(link.name), link.offset); });
    return std::move(links_);
  }

 private:
  /// 0 for names that say that the member is a continuation.
  static int rank(std::string_view name) {
    constexpr std::array<std::string_view, 9> telling{"continuation", "caller",   "parent", "awaiting", "awaiter",
                                                      "waiter",       "consumer", "outer",  "precursor"};
    return std::ranges::any_of(telling, [&](std::string_view text) { return name.contains(text); }) ? 0 : 1;
  }

  void look_into(llvm::DWARFDie type, std::uint64_t offset, std::string_view inside, int depth) {
    type = without_aliases(type, true);
    if (!type.isValid() || depth > longest_chain || !is_class(type)) return;
    std::size_t members = 0;
    for (const auto& child : type.children()) {
      const bool base = child.getTag() == dwarf::DW_TAG_inheritance;
      if ((!base && child.getTag() != dwarf::DW_TAG_member) || ++members > max_members) continue;
      // Members without an offset are static, or those of a union.
      if (!base && child.find(dwarf::DW_AT_external)) continue;
      const std::uint64_t address = offset + member_offset(child).value_or(0);
      const auto its_type = without_aliases(type_of(child), true);
      if (!its_type.isValid() || links_.size() >= max_links) continue;
      const std::string_view own_name = short_name(child);
      const std::string_view name = rank(inside) == 0 && !inside.empty() ? inside : own_name;
      if (is_handle(short_name(its_type))) {
        links_.push_back({.name = std::string(name), .offset = address, .telling = rank(name) == 0});
      } else if (its_type.getTag() == dwarf::DW_TAG_pointer_type) {
        const auto to = without_aliases(type_of(its_type), true);
        // The name must match too: the pointers of an intrusive list have the same type.
        if (rank(name) == 0 && to.isValid() && is_class(to) && is_or_derives_from(promise_, to)) {
          links_.push_back({.name = std::string(name), .offset = address, .telling = true});
        }
      } else if (base || is_class(its_type)) {
        look_into(its_type, address, base ? inside : name, depth + 1);
      }
    }
  }

  llvm::DWARFDie promise_;
  std::vector<promise_link> links_;
};

}  // namespace

std::vector<promise_link> find_promise_links(const llvm::DWARFDie& promise_type, std::uint64_t promise_offset) {
  if (!promise_type.isValid()) return {};
  return finder(promise_type, promise_offset).take();
}

}  // namespace tare::inspect
