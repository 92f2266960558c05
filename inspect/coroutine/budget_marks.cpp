#include "inspect/coroutine/budget_marks.hpp"

#include "inspect/coroutine/part_symbol.hpp"
#include "inspect/coroutine/readable_name.hpp"
#include "inspect/dwarf/address_ranges.hpp"
#include "inspect/dwarf/source_path.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <tare/abi/frame_budget.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

/// The source file of a mark, from the functions inlined at its address.
std::string file_of(const budget_mark& mark, image& file) {
  if (!file.has_debug_information()) return {};
  using kind = llvm::DILineInfoSpecifier;
  const kind how(kind::FileLineInfoKind::RelativeFilePath, kind::FunctionNameKind::None);
  // A mark takes no space, so it may be at the end of its code.
  for (const std::uint64_t address : {mark.address, mark.address - 1}) {
    const auto inlined = file.dwarf().getInliningInfoForAddress({address}, how);
    for (std::uint32_t i = 0; i < inlined.getNumberOfFrames(); ++i) {
      const std::string& name = inlined.getFrame(i).FileName;
      if (abi::file_mark(name.c_str()) == mark.file) return source_path(file.dwarf(), address, name);
    }
  }
  return {};
}

/// The coroutines that were inlined at an address, or directly before it: a mark takes no space, so it may be at the
/// end of its code.
void find_inlined(const llvm::DWARFDie& block, std::uint64_t address, std::vector<llvm::DWARFDie>& dies,
                  int depth = 0) {
  constexpr int deepest = 256;
  if (depth > deepest) return;
  for (const auto& child : block.children()) {
    const auto tag = child.getTag();
    if (tag != dwarf::DW_TAG_inlined_subroutine && tag != dwarf::DW_TAG_lexical_block) continue;
    const bool here = std::ranges::any_of(
        address_ranges(child), [&](const auto& each) { return address >= each.LowPC && address <= each.HighPC; });
    if (!here) continue;
    if (tag == dwarf::DW_TAG_inlined_subroutine) {
      const auto callee = child.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin);
      if (!coroutine_of(callee).empty()) dies.push_back(callee);
    }
    find_inlined(child, address, dies, depth + 1);
  }
}

/// Whether the mark is in this coroutine's own body and not in that of an inlined one: it belongs to the coroutine in
/// its file whose declaration is the nearest above it.
bool is_own_mark(const frame_function& function, const budget_mark& mark, const source_line& declared,
                 std::string_view linkage_name) {
  const auto distance = [&](const source_line& begins) -> std::uint32_t {
    const bool same = begins.line != 0 && begins.line <= mark.line && abi::file_mark(begins.file.c_str()) == mark.file;
    return same ? mark.line - begins.line : ~std::uint32_t{0};
  };
  const std::uint32_t own = distance(declared);
  if (own == ~std::uint32_t{0}) return false;
  std::vector<llvm::DWARFDie> others;
  find_inlined(function.die, mark.address, others);
  return std::ranges::all_of(others, [&](const llvm::DWARFDie& other) {
    return coroutine_of(other) == linkage_name || distance(declaration(other)) > own;
  });
}

}  // namespace

std::vector<budget_mark> read_budget_marks(const image& file) {
  std::vector<budget_mark> marks;
  for (const auto& section : file.sections_named(".tare.budgets")) {
    std::array<std::int32_t, 4> words{};
    for (std::size_t index = 0; index + sizeof words <= section.content.size(); index += sizeof words) {
      std::memcpy(words.data(), section.content.data() + index, sizeof words);
      if (words[1] <= 0) continue;
      marks.push_back({.address = section.address + index + static_cast<std::uint64_t>(std::int64_t{words[0]}),
                       .bytes = static_cast<std::uint64_t>(words[1]),
                       .line = static_cast<std::uint32_t>(words[2]),
                       .file = static_cast<std::uint32_t>(words[3])});
    }
  }
  return marks;
}

std::vector<std::size_t> find_budgets(const unit_context& unit, const frame_source& source,
                                      const source_line& declared) {
  std::vector<std::size_t> marks;
  for (std::size_t number = 0; number < unit.budgets.size(); ++number) {
    const budget_mark& mark = unit.budgets[number];
    const bool own = std::ranges::any_of(source.functions, [&](const frame_function& function) {
      const bool inside = std::ranges::any_of(function.ranges, [&](const code_range& range) {
        return mark.address >= range.begin && mark.address <= range.end;
      });
      return inside && is_own_mark(function, mark, declared, source.linkage_name);
    });
    if (own) marks.push_back(number);
  }
  return marks;
}

std::vector<budget_by_symbol> find_budgets_by_symbols(const image& file, std::span<const budget_mark> marks,
                                                      std::span<const coroutine> coroutines) {
  std::vector<budget_by_symbol> found;
  for (std::size_t mark = 0; mark < marks.size(); ++mark) {
    const auto* function = file.function_at(marks[mark].address);
    if (function == nullptr) continue;
    const auto body = body_of(function->name);
    for (std::size_t i = 0; i < coroutines.size(); ++i) {
      const auto& current = coroutines[i];
      if (current.is_described()) continue;
      const bool same = current.resume_address == function->address || current.linkage_name == function->name ||
                        (body && body->coroutine == current.linkage_name);
      if (same) found.push_back({.mark = mark, .of = i});
    }
  }
  return found;
}

std::vector<idle_budget> find_idle_budgets(image& file, std::span<const budget_mark> marks,
                                           const std::set<std::size_t>& in_use) {
  std::vector<idle_budget> idle;
  for (const auto& mark : marks) {
    const bool holds = std::ranges::any_of(in_use, [&](std::size_t number) {
      const auto& other = marks[number];
      return other.line == mark.line && other.file == mark.file && other.bytes == mark.bytes;
    });
    if (holds) continue;
    idle_budget made{.where = {.file = file_of(mark, file), .line = mark.line}, .function = {}, .bytes = mark.bytes};
    if (const auto* function = file.function_at(mark.address)) made.function = readable_function(function->name);
    if (std::ranges::find(idle, made) == idle.end()) idle.push_back(std::move(made));
  }
  return idle;
}

}  // namespace tare::inspect
