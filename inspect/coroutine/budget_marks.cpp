#include "inspect/coroutine/budget_marks.hpp"

#include "inspect/coroutine/part_symbol.hpp"
#include "inspect/coroutine/readable_name.hpp"

#include <tare/abi/frame_budget.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace tare::inspect {
namespace {

/// The source file of a mark, from the functions inlined at its address.
std::string file_of(const budget_mark& mark, image& file) {
  if (!file.has_debug_information()) return {};
  using kind = llvm::DILineInfoSpecifier;
  const kind how(kind::FileLineInfoKind::AbsoluteFilePath, kind::FunctionNameKind::None);
  // A mark takes no space, so it may be at the end of its code.
  for (const std::uint64_t address : {mark.address, mark.address - 1}) {
    const auto inlined = file.dwarf().getInliningInfoForAddress({address}, how);
    for (std::uint32_t i = 0; i < inlined.getNumberOfFrames(); ++i) {
      const std::string& name = inlined.getFrame(i).FileName;
      if (abi::file_mark(name.c_str()) == mark.file) return name;
    }
  }
  return {};
}

}  // namespace

std::vector<budget_mark> read_budget_marks(const image& file) {
  std::vector<budget_mark> marks;
  for (const auto& section : file.sections_named(".tare.budgets")) {
    std::array<std::int32_t, 4> words{};
    for (std::size_t at = 0; at + sizeof words <= section.content.size(); at += sizeof words) {
      std::memcpy(words.data(), section.content.data() + at, sizeof words);
      if (words[1] <= 0) continue;
      marks.push_back({.address = section.address + at + static_cast<std::uint64_t>(std::int64_t{words[0]}),
                       .bytes = static_cast<std::uint64_t>(words[1]),
                       .line = static_cast<std::uint32_t>(words[2]),
                       .file = static_cast<std::uint32_t>(words[3])});
    }
  }
  return marks;
}

void add_budgets_by_symbols(const image& file, std::span<budget_mark> marks, std::span<coroutine> coroutines) {
  for (auto& mark : marks) {
    const auto* function = file.function_at(mark.address);
    if (function == nullptr) continue;
    const auto body = body_of(function->name);
    for (auto& one : coroutines) {
      if (one.is_described()) continue;
      const bool same = one.resume_address == function->address || one.linkage_name == function->name ||
                        (body && body->coroutine == one.linkage_name);
      if (!same) continue;
      one.declared_budget = mark.bytes;
      mark.holds = true;
    }
  }
}

void add_idle_budgets(image& file, std::span<const budget_mark> marks, std::vector<idle_budget>& idle) {
  for (const auto& mark : marks) {
    const bool holds = std::ranges::any_of(marks, [&](const budget_mark& other) {
      return other.holds && other.line == mark.line && other.file == mark.file && other.bytes == mark.bytes;
    });
    if (holds) continue;
    idle_budget one{.where = {.file = file_of(mark, file), .line = mark.line}, .function = {}, .bytes = mark.bytes};
    if (const auto* function = file.function_at(mark.address)) one.function = readable_function(function->name);
    if (std::ranges::find(idle, one) == idle.end()) idle.push_back(std::move(one));
  }
}

}  // namespace tare::inspect
