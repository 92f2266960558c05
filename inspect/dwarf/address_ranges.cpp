#include "inspect/dwarf/address_ranges.hpp"

#include <utility>

namespace tare::inspect {

llvm::DWARFAddressRangesVector address_ranges(const llvm::DWARFDie& die) {
  auto ranges = die.getAddressRanges();
  if (ranges) return std::move(*ranges);
  llvm::consumeError(ranges.takeError());
  return {};
}

}  // namespace tare::inspect
