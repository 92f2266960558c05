#include "inspect/dwarf/line_rows.hpp"

#include "inspect/dwarf/source_path.hpp"

#include <algorithm>
#include <utility>

namespace tare::inspect {

line_rows::line_rows(llvm::DWARFContext& context, llvm::DWARFUnit& unit) {
  auto table = context.getLineTableForUnit(&unit, [](llvm::Error ignored) { llvm::consumeError(std::move(ignored)); });
  if (!table) {
    llvm::consumeError(table.takeError());
    return;
  }
  if (*table == nullptr) return;
  table_ = *table;
  if (const char* folder = unit.getCompilationDir()) folder_ = folder;
  auto sequences = table_->Sequences;
  std::ranges::sort(sequences, [](const auto& left, const auto& right) {
    return std::pair(left.LowPC, left.FirstRowIndex) < std::pair(right.LowPC, right.FirstRowIndex);
  });
  rows_.reserve(table_->Rows.size());
  for (const auto& sequence : sequences) {
    for (std::size_t i = sequence.FirstRowIndex; i < sequence.LastRowIndex && i < table_->Rows.size(); ++i) {
      const auto& row = table_->Rows[i];
      rows_.push_back({.address = row.Address.Address,
                       .line = row.Line,
                       .column = row.Column,
                       .file = static_cast<std::uint16_t>(row.File),
                       .ends_sequence = row.EndSequence != 0});
    }
  }
  // Damaged tables may have overlapping sequences.
  if (!std::ranges::is_sorted(rows_, {}, &line_row::address)) std::ranges::sort(rows_, {}, &line_row::address);
}

const line_row* line_rows::at(std::uint64_t address) const {
  auto after = std::ranges::upper_bound(rows_, address, {}, &line_row::address);
  if (after == rows_.begin()) return nullptr;
  --after;
  return after->ends_sequence ? nullptr : &*after;
}

std::span<const line_row> line_rows::between(std::uint64_t begin, std::uint64_t end) const {
  const auto first = std::ranges::lower_bound(rows_, begin, {}, &line_row::address);
  const auto last = std::ranges::lower_bound(first, rows_.end(), end, {}, &line_row::address);
  return {first, last};
}

std::string line_rows::file(std::uint64_t number) const {
  if (table_ == nullptr) return {};
  const auto [place, is_new] = files_.try_emplace(number);
  if (is_new) place->second = source_path(*table_, number, folder_);
  return place->second;
}

}  // namespace tare::inspect
