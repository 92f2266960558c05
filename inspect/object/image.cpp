#include "inspect/object/image.hpp"

#include "inspect/machine/x86_64.hpp"
#include "inspect/object/damage.hpp"
#include "inspect/object/debug_file.hpp"
#include "inspect/object/relocation.hpp"
#include "inspect/object/sections.hpp"

#include <fmt/format.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/Object/ELF.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

namespace tare::inspect {

namespace fs = std::filesystem;
namespace object = llvm::object;

struct image::section {
  std::string name;
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  std::span<const std::uint8_t> content;  ///< empty for .bss
  bool writable = false;
  object::SectionRef reference;
  std::vector<std::uint8_t> relocated;  ///< owns the content where relocations changed it
};

/// Tells LLVM where this file's sections are.
class image::addresses final : public llvm::LoadedObjectInfoHelper<image::addresses> {
 public:
  std::uint64_t getSectionLoadAddress(const object::SectionRef& section) const override {
    const auto found = of_section.find(section.getIndex());
    return found == of_section.end() ? 0 : found->second;
  }
  std::unordered_map<std::uint64_t, std::uint64_t> of_section;
};

namespace {

constexpr std::uint64_t first_section_address = 0x10000;
/// A .bss of any size takes no more room than this needs to tell addresses apart.
constexpr std::uint64_t max_section_room = std::uint64_t{1} << 32;

std::string text_of(llvm::Error error) { return llvm::toString(std::move(error)); }

std::span<const std::uint8_t> as_bytes(llvm::StringRef text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// LLVM's own function asserts that the alignment in the file is a power of two, even in a damaged file.
std::uint64_t alignment_of(const object::ObjectFile& file, const object::SectionRef& section) {
  constexpr std::uint64_t least = 16;
  constexpr std::uint64_t most = 1 << 16;
  const auto* elf = llvm::dyn_cast<object::ELF64LEObjectFile>(&file);
  if (elf == nullptr) return least;
  const std::uint64_t alignment = elf->getSection(section.getRawDataRefImpl())->sh_addralign;
  return std::has_single_bit(alignment) ? std::clamp(alignment, least, most) : least;
}

}  // namespace

image::image(std::string name, std::unique_ptr<object::ObjectFile> file)
    : name_(std::move(name)),
      object_(std::move(file)),
      elf_(llvm::cast<object::ELFObjectFileBase>(object_.get())),
      addresses_(std::make_unique<addresses>()) {
  lay_out();
  read_symbols(*elf_);
  read_imports();
  relocate();
}

image::~image() = default;

void image::lay_out() {
  std::uint64_t next = first_section_address;
  for (const auto& reference : elf_->sections()) {
    const object::ELFSectionRef elf_section(reference);
    if ((elf_section.getFlags() & llvm::ELF::SHF_ALLOC) == 0 || (elf_section.getFlags() & llvm::ELF::SHF_TLS) != 0) {
      continue;
    }
    section section;
    section.reference = reference;
    if (auto its_name = reference.getName()) {
      section.name = its_name->str();
    } else {
      llvm::consumeError(its_name.takeError());
    }
    section.bytes = reference.getSize();
    section.writable = (elf_section.getFlags() & llvm::ELF::SHF_WRITE) != 0;
    if (elf_section.getType() != llvm::ELF::SHT_NOBITS) {
      auto content = reference.getContents();
      if (!content) {
        problems_.push_back(text_of(content.takeError()));
        continue;
      }
      section.content = as_bytes(*content);
      section.bytes = section.content.size();
    }
    section.address = reference.getAddress();
    if (is_relocatable()) {
      const std::uint64_t alignment = alignment_of(*object_, reference);
      next = (next + alignment - 1) / alignment * alignment;
      section.address = next;
      next += std::min<std::uint64_t>(section.bytes, max_section_room) + 16;
      addresses_->of_section[reference.getIndex()] = section.address;
    }
    sections_.push_back(std::move(section));
  }
  std::ranges::sort(sections_, {}, &section::address);
}

void image::read_symbols(const object::ELFObjectFileBase& from) {
  const auto add = [&](const object::ELFSymbolRef& symbol) {
    auto type = symbol.getType();
    auto name = symbol.getName();
    auto address = symbol.getAddress();
    auto where = symbol.getSection();
    auto flags = symbol.getFlags();
    const bool good = type && name && address && where && flags;
    if (!good) {
      if (!type) llvm::consumeError(type.takeError());
      if (!name) llvm::consumeError(name.takeError());
      if (!address) llvm::consumeError(address.takeError());
      if (!where) llvm::consumeError(where.takeError());
      if (!flags) llvm::consumeError(flags.takeError());
      return;
    }
    if (*type != object::SymbolRef::ST_Function || (*flags & object::SymbolRef::SF_Undefined) != 0) return;
    std::uint64_t position = *address;
    if (is_relocatable()) {
      if (*where == from.section_end()) return;
      const auto base = addresses_->of_section.find((*where)->getIndex());
      if (base == addresses_->of_section.end()) return;
      position += base->second - (*where)->getAddress();
    }
    // A hidden symbol becomes local only when it is linked.
    const bool local =
        symbol.getBinding() == llvm::ELF::STB_LOCAL && (symbol.getOther() & 3U) == llvm::ELF::STV_DEFAULT;
    has_local_functions_ = has_local_functions_ || local;
    functions_.push_back({.name = {name->data(), name->size()}, .address = position, .bytes = symbol.getSize()});
  };
  for (const auto& symbol : from.symbols()) add(symbol);
  if (functions_.empty()) {
    for (const auto& symbol : from.getDynamicSymbolIterators()) add(symbol);
  }
  // Of several names of one function the longest is kept first: "f.resume" before "f".
  std::ranges::sort(functions_, [](const auto& a, const auto& b) {
    return std::pair(a.address, b.name.size()) < std::pair(b.address, a.name.size());
  });
  by_name_.clear();
  for (std::size_t i = 0; i < functions_.size(); ++i) by_name_.emplace(functions_[i].name, i);
}

void image::read_imports() {
  if (is_relocatable() || !is_x86_64()) return;
  const auto features = x86_64_features();
  for (const auto& entry : elf_->getPltEntries(*features)) {
    if (!entry.Symbol) continue;
    auto name = object::SymbolRef(*entry.Symbol, elf_).getName();
    if (name) {
      imports_.emplace(entry.Address, name->str());
    } else {
      llvm::consumeError(name.takeError());
    }
  }
}

void image::relocate() {
  if (!is_relocatable() || !is_x86_64()) return;
  std::uint64_t first_import = sections_.empty() ? first_section_address : sections_.back().address;
  if (!sections_.empty()) first_import += std::min<std::uint64_t>(sections_.back().bytes, max_section_room);
  first_import = (first_import + 0xffff) / 0x10000 * 0x10000;
  relocator relocations(*elf_, addresses_->of_section, first_import);
  relocations.apply([this](const object::SectionRef& of) -> std::optional<relocator::target> {
    const auto found = std::ranges::find_if(sections_, [&](const section& section) { return section.reference == of; });
    if (found == sections_.end() || found->content.empty()) return std::nullopt;
    if (found->relocated.empty()) {
      found->relocated.assign(found->content.begin(), found->content.end());
      found->content = found->relocated;
    }
    return relocator::target{.address = found->address, .content = found->relocated};
  });
  imports_.merge(std::move(relocations).imports());
}

base::result<void> image::use_debug_file(const fs::path& path) {
  auto opened = object::ObjectFile::createObjectFile(path.string());
  if (!opened) return base::input_error(fmt::format("{}: {}", path.string(), text_of(opened.takeError())));
  const auto* file = llvm::dyn_cast<object::ELFObjectFileBase>(opened->getBinary());
  if (file == nullptr) return base::input_error(fmt::format("{} is not an ELF file", path.string()));
  if (const auto damage = damage_of(*file)) {
    return base::input_error(fmt::format("{} is truncated or damaged: {}", path.string(), *damage));
  }
  const std::string ours = build_id();
  const std::string theirs = build_id_of(*file);
  if (!ours.empty() && !theirs.empty() && ours != theirs) {
    return base::input_error(fmt::format("{} is the debug information of another build of {}", path.string(), name_));
  }
  debug_file_ = std::make_unique<object::OwningBinary<object::ObjectFile>>(std::move(*opened));
  dwarf_.reset();
  if (!has_symbols() && has_section(*file, ".symtab")) {
    functions_.clear();
    read_symbols(*file);
  }
  return {};
}

bool image::find_debug_file(std::span<const fs::path> folders) {
  auto found = find_debug_files(name_, *elf_, folders);
  std::ranges::move(found.problems, std::back_inserter(problems_));
  return std::ranges::any_of(found.places, [&](const fs::path& place) { return use_debug_file(place).has_value(); });
}

bool image::has_debug_information() const {
  const object::ObjectFile& file = debug_file_ ? *debug_file_->getBinary() : *object_;
  return has_section(file, ".debug_info") || has_section(file, ".zdebug_info") || has_section(file, ".debug_info.dwo");
}

llvm::DWARFDie image::entry_at(std::uint64_t offset) {
  return offset == 0 ? llvm::DWARFDie() : dwarf().getDIEForOffset(offset);
}

llvm::DWARFContext& image::dwarf() {
  if (!dwarf_) {
    const object::ObjectFile& file = debug_file_ ? *debug_file_->getBinary() : *object_;
    const auto note = [this](llvm::Error error) {
      constexpr std::size_t most = 20;
      std::string text = text_of(std::move(error));
      std::ranges::replace(text, '\n', ' ');
      if (problems_.size() < most && std::ranges::find(problems_, text) == problems_.end()) {
        problems_.push_back(std::move(text));
      }
    };
    dwarf_ = llvm::DWARFContext::create(file, llvm::DWARFContext::ProcessDebugRelocations::Process,
                                        is_relocatable() ? addresses_.get() : nullptr, name_ + ".dwp", note, note);
  }
  return *dwarf_;
}

const image::section* image::section_at(std::uint64_t address) const {
  auto after = std::ranges::upper_bound(sections_, address, {}, &section::address);
  if (after == sections_.begin()) return nullptr;
  --after;
  return address - after->address < after->bytes ? &*after : nullptr;
}

std::span<const std::uint8_t> image::read(std::uint64_t address, std::uint64_t bytes) const {
  const section* where = section_at(address);
  if (where == nullptr || where->content.empty()) return {};
  const std::uint64_t offset = address - where->address;
  if (offset >= where->content.size()) return {};
  return where->content.subspan(offset, std::min<std::uint64_t>(bytes, where->content.size() - offset));
}

std::uint64_t image::address_of(const object::SectionRef& section) const {
  return is_relocatable() ? addresses_->getSectionLoadAddress(section) : section.getAddress();
}

std::vector<image::section_view> image::sections_named(std::string_view name) const {
  std::vector<section_view> found;
  for (const auto& each : sections_) {
    if (each.name == name) found.push_back({.address = each.address, .content = each.content});
  }
  return found;
}

std::vector<std::string_view> image::unloaded_sections_named(std::string_view name) const {
  std::vector<std::string_view> found;
  const auto look_through = [&](const object::ObjectFile& file) {
    for_each_section_named(file, {name.data(), name.size()}, [&](const object::SectionRef& section) {
      if ((object::ELFSectionRef(section).getFlags() & llvm::ELF::SHF_ALLOC) != 0) return;
      auto content = section.getContents();
      if (content) {
        found.emplace_back(content->data(), content->size());
      } else {
        llvm::consumeError(content.takeError());
      }
    });
  };
  look_through(*object_);
  if (found.empty() && debug_file_) look_through(*debug_file_->getBinary());
  return found;
}

std::string image::build_id() const { return build_id_of(*elf_); }

bool image::is_constant(std::uint64_t address) const {
  const section* where = section_at(address);
  return where != nullptr && !where->writable;
}

const function_symbol* image::function_at(std::uint64_t address) const {
  auto after = std::ranges::upper_bound(functions_, address, {}, &function_symbol::address);
  // Several symbols may begin at one place; the one with a size that covers the address is wanted.
  for (int steps = 0; after != functions_.begin() && steps < 8; ++steps) {
    --after;
    if (address == after->address || address - after->address < after->bytes) {
      while (after != functions_.begin() && std::prev(after)->address == after->address) --after;
      return &*after;
    }
  }
  return nullptr;
}

const function_symbol* image::function_named(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &functions_[found->second];
}

std::string_view image::name_at(std::uint64_t address) const {
  if (const auto found = imports_.find(address); found != imports_.end()) return found->second;
  const function_symbol* function = function_at(address);
  return function != nullptr && function->address == address ? function->name : std::string_view();
}

}  // namespace tare::inspect
