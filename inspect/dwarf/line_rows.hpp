#pragma once

// The source lines of the instructions of a unit.

#include "inspect/facts/coroutine.hpp"

#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/DebugInfo/DWARF/DWARFDebugLine.h>

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace tare::inspect {

struct line_row {
  std::uint64_t address = 0;
  std::uint32_t line = 0;
  std::uint16_t column = 0;
  std::uint16_t file = 0;
  bool ends_sequence = false;
};

class line_rows {
 public:
  line_rows() = default;
  /// The unit's table; empty if it has none or if it cannot be read.
  line_rows(llvm::DWARFContext& context, llvm::DWARFUnit& unit);

  /// The row that covers the address.
  [[nodiscard]] const line_row* at(std::uint64_t address) const;
  /// Rows by address.
  [[nodiscard]] const std::vector<line_row>& rows() const noexcept { return rows_; }
  /// The rows from `begin` to before `end`.
  [[nodiscard]] std::span<const line_row> between(std::uint64_t begin, std::uint64_t end) const;
  [[nodiscard]] std::string file(std::uint64_t number) const;

 private:
  const llvm::DWARFDebugLine::LineTable* table_ = nullptr;
  std::string folder_;
  std::vector<line_row> rows_;
  mutable std::unordered_map<std::uint64_t, std::string> files_;
};

}  // namespace tare::inspect
