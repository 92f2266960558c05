#include "inspect/machine/landing_pads.hpp"

#include <llvm/BinaryFormat/Dwarf.h>
#include <llvm/DebugInfo/DWARF/DWARFDataExtractor.h>
#include <llvm/DebugInfo/DWARF/DWARFDebugFrame.h>

#include <algorithm>
#include <optional>

namespace tare::inspect {
namespace {

constexpr std::uint64_t max_call_sites = 65536;

/// A cursor over an exception table; every read beyond its end fails.
class cursor {
 public:
  cursor(const image& code, std::uint64_t address) : bytes_(code.read(address, ~std::uint64_t{0})), begin_(address) {}

  [[nodiscard]] std::uint64_t address() const { return begin_ + at_; }
  [[nodiscard]] bool failed() const { return failed_; }

  std::uint8_t byte() {
    if (at_ >= bytes_.size()) {
      failed_ = true;
      return 0;
    }
    return bytes_[at_++];
  }
  std::uint64_t fixed(unsigned width) {
    std::uint64_t number = 0;
    for (unsigned i = 0; i < width; ++i) number |= std::uint64_t{byte()} << (8 * i);
    return number;
  }
  std::uint64_t uleb() {
    std::uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t next = byte();
      number |= std::uint64_t{next & 0x7fU} << shift;
      if ((next & 0x80U) == 0) return number;
    }
    failed_ = true;
    return 0;
  }
  /// Sizes only: no base is added.
  std::uint64_t encoded(std::uint8_t encoding) {
    switch (encoding & 0x0fU) {
      case llvm::dwarf::DW_EH_PE_absptr:
      case llvm::dwarf::DW_EH_PE_udata8:
      case llvm::dwarf::DW_EH_PE_sdata8:
        return fixed(8);
      case llvm::dwarf::DW_EH_PE_uleb128:
        return uleb();
      case llvm::dwarf::DW_EH_PE_udata2:
        return fixed(2);
      case llvm::dwarf::DW_EH_PE_udata4:
      case llvm::dwarf::DW_EH_PE_sdata4:
        return fixed(4);
      default:
        failed_ = true;
        return 0;
    }
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::uint64_t begin_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace

const landing_pads::call_site_tables& landing_pads::tables() const {
  if (tables_) return *tables_;
  auto& found = tables_.emplace();
  for (const auto& section : code_.file().sections()) {
    auto name = section.getName();
    if (!name) {
      llvm::consumeError(name.takeError());
      continue;
    }
    if (*name != ".eh_frame") continue;
    const std::uint64_t address = code_.address_of(section);
    const auto content = code_.read(address, ~std::uint64_t{0});
    llvm::DWARFDebugFrame frames(llvm::Triple::x86_64, /*IsEH=*/true, address);
    const llvm::DWARFDataExtractor bytes(llvm::StringRef(reinterpret_cast<const char*>(content.data()), content.size()),
                                         /*IsLittleEndian=*/true, 8);
    if (auto failed = frames.parse(bytes)) {
      llvm::consumeError(std::move(failed));
      continue;
    }
    for (const auto& entry : frames.entries()) {
      const auto* function = llvm::dyn_cast<llvm::dwarf::FDE>(&entry);
      if (function == nullptr) continue;
      if (const auto table = function->getLSDAAddress()) found.emplace(function->getInitialLocation(), *table);
    }
  }
  return found;
}

std::vector<covered_call_sites> landing_pads::of(std::uint64_t function) const {
  const auto found = tables().find(function);
  std::vector<covered_call_sites> sites;
  if (found == tables().end()) return sites;
  cursor in(code_, found->second);
  std::uint64_t pads_begin = function;
  if (const std::uint8_t encoding = in.byte(); encoding != llvm::dwarf::DW_EH_PE_omit) {
    // Only an offset from 0 is in use: the pads of a part that was split off.
    const std::uint64_t address = in.address();
    const std::uint64_t base = in.encoded(encoding);
    pads_begin = (encoding & 0x70U) == llvm::dwarf::DW_EH_PE_pcrel ? address + base : base;
  }
  if (const std::uint8_t encoding = in.byte(); encoding != llvm::dwarf::DW_EH_PE_omit) (void)in.uleb();
  const std::uint8_t encoding = in.byte();
  const std::uint64_t bytes = in.uleb();
  const std::uint64_t end = in.address() + bytes;
  while (!in.failed() && in.address() < end && sites.size() < max_call_sites) {
    const std::uint64_t begin = in.encoded(encoding);
    const std::uint64_t length = in.encoded(encoding);
    const std::uint64_t pad = in.encoded(encoding);
    (void)in.uleb();
    if (!in.failed() && pad != 0) {
      sites.push_back({.begin = function + begin, .end = function + begin + length, .landing_pad = pads_begin + pad});
    }
  }
  return sites;
}

}  // namespace tare::inspect
