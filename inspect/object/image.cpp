#include "inspect/object/image.hpp"

#include "inspect/machine/x86_64.hpp"
#include "inspect/object/damage.hpp"

#include <fmt/format.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/Object/ELF.h>
#include <llvm/Support/CRC.h>
#include <llvm/Support/MemoryBuffer.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace tare::inspect {

namespace fs = std::filesystem;
namespace object = llvm::object;

struct image::section {
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
constexpr std::uint64_t import_bytes = 16;

std::string text_of(llvm::Error error) { return llvm::toString(std::move(error)); }

std::span<const std::uint8_t> as_bytes(llvm::StringRef text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::optional<llvm::StringRef> section_named(const object::ObjectFile& file, llvm::StringRef name) {
  for (const auto& section : file.sections()) {
    auto its_name = section.getName();
    if (!its_name) {
      llvm::consumeError(its_name.takeError());
      continue;
    }
    if (*its_name != name) continue;
    auto content = section.getContents();
    if (content) return *content;
    llvm::consumeError(content.takeError());
  }
  return std::nullopt;
}

bool has_section(const object::ObjectFile& file, llvm::StringRef name) {
  const auto content = section_named(file, name);
  return content && !content->empty();
}

std::string build_id_of(const object::ObjectFile& file) {
  const auto note = section_named(file, ".note.gnu.build-id");
  // Name length, descriptor length, type, then "GNU\0" and the id.
  if (!note || note->size() < 17) return {};
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, note->data() + 4, sizeof bytes);
  if (bytes < 2 || bytes > note->size() - 16) return {};
  std::string text;
  for (const char c : note->substr(16, bytes)) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

struct debug_link {
  std::string name;
  std::uint32_t checksum = 0;
};

std::optional<debug_link> read_debug_link(const object::ObjectFile& file) {
  const auto content = section_named(file, ".gnu_debuglink");
  if (!content) return std::nullopt;
  const std::size_t end = content->find('\0');
  if (end == llvm::StringRef::npos || end == 0) return std::nullopt;
  const std::size_t at = (end + 4) / 4 * 4;
  if (at + 4 > content->size()) return std::nullopt;
  debug_link link{.name = content->substr(0, end).str()};
  std::memcpy(&link.checksum, content->data() + at, sizeof link.checksum);
  // Only a name, never a way out of the folders that are searched.
  if (link.name.contains('/')) return std::nullopt;
  return link;
}

/// LLVM's own question asserts that a broken file tells a power of two.
std::uint64_t alignment_of(const object::ObjectFile& file, const object::SectionRef& section) {
  constexpr std::uint64_t least = 16;
  constexpr std::uint64_t most = 1 << 16;
  const auto* elf = llvm::dyn_cast<object::ELF64LEObjectFile>(&file);
  if (elf == nullptr) return least;
  const std::uint64_t told = elf->getSection(section.getRawDataRefImpl())->sh_addralign;
  return std::has_single_bit(told) ? std::clamp(told, least, most) : least;
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
    section one;
    one.reference = reference;
    one.bytes = reference.getSize();
    one.writable = (elf_section.getFlags() & llvm::ELF::SHF_WRITE) != 0;
    if (elf_section.getType() != llvm::ELF::SHT_NOBITS) {
      auto content = reference.getContents();
      if (!content) {
        problems_.push_back(text_of(content.takeError()));
        continue;
      }
      one.content = as_bytes(*content);
      one.bytes = one.content.size();
    }
    one.address = reference.getAddress();
    if (is_relocatable()) {
      const std::uint64_t alignment = alignment_of(*object_, reference);
      next = (next + alignment - 1) / alignment * alignment;
      one.address = next;
      // A .bss of any size takes no more room than this needs to tell addresses apart.
      next += std::min<std::uint64_t>(one.bytes, std::uint64_t{1} << 32) + 16;
      addresses_->of_section[reference.getIndex()] = one.address;
    }
    sections_.push_back(std::move(one));
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
    std::uint64_t at = *address;
    if (is_relocatable()) {
      if (*where == from.section_end()) return;
      const auto base = addresses_->of_section.find((*where)->getIndex());
      if (base == addresses_->of_section.end()) return;
      at += base->second - (*where)->getAddress();
    }
    // A hidden symbol becomes local only when it is linked.
    const bool local =
        symbol.getBinding() == llvm::ELF::STB_LOCAL && (symbol.getOther() & 3U) == llvm::ELF::STV_DEFAULT;
    has_local_functions_ = has_local_functions_ || local;
    functions_.push_back({.name = {name->data(), name->size()}, .address = at, .bytes = symbol.getSize()});
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
  std::uint64_t next_import = sections_.empty() ? first_section_address : sections_.back().address;
  if (!sections_.empty()) next_import += std::min<std::uint64_t>(sections_.back().bytes, std::uint64_t{1} << 32);
  next_import = (next_import + 0xffff) / 0x10000 * 0x10000;
  std::unordered_map<std::string, std::uint64_t> import_addresses;

  const auto address_of = [&](const object::SymbolRef& symbol) -> std::optional<std::uint64_t> {
    auto where = symbol.getSection();
    auto address = symbol.getAddress();
    auto name = symbol.getName();
    if (!where || !address || !name) {
      if (!where) llvm::consumeError(where.takeError());
      if (!address) llvm::consumeError(address.takeError());
      if (!name) llvm::consumeError(name.takeError());
      return std::nullopt;
    }
    if (*where != elf_->section_end()) {
      const auto base = addresses_->of_section.find((*where)->getIndex());
      if (base == addresses_->of_section.end()) return std::nullopt;
      return *address + base->second - (*where)->getAddress();
    }
    const auto [place, is_new] = import_addresses.try_emplace(name->str(), next_import);
    if (is_new) {
      imports_.emplace(next_import, name->str());
      next_import += import_bytes;
    }
    return place->second;
  };

  for (const auto& reference : elf_->sections()) {
    auto target = reference.getRelocatedSection();
    if (!target) {
      llvm::consumeError(target.takeError());
      continue;
    }
    if (*target == elf_->section_end()) continue;
    const auto found = std::ranges::find_if(sections_, [&](const auto& one) { return one.reference == **target; });
    if (found == sections_.end() || found->content.empty()) continue;
    if (found->relocated.empty()) {
      found->relocated.assign(found->content.begin(), found->content.end());
      found->content = found->relocated;
    }
    for (const auto& entry : reference.relocations()) {
      const object::ELFRelocationRef relocation(entry);
      auto addend = relocation.getAddend();
      if (!addend) {
        llvm::consumeError(addend.takeError());
        continue;
      }
      if (relocation.getSymbol() == elf_->symbol_end()) continue;
      const auto symbol = address_of(*relocation.getSymbol());
      if (!symbol) continue;
      const std::uint64_t offset = relocation.getOffset();
      const std::uint64_t absolute = *symbol + static_cast<std::uint64_t>(*addend);
      const std::uint64_t relative = absolute - (found->address + offset);
      std::uint64_t word = 0;
      std::size_t width = 4;
      switch (relocation.getType()) {
        case llvm::ELF::R_X86_64_64:
          word = absolute;
          width = 8;
          break;
        case llvm::ELF::R_X86_64_32:
        case llvm::ELF::R_X86_64_32S:
          word = absolute;
          break;
        case llvm::ELF::R_X86_64_PC64:
          word = relative;
          width = 8;
          break;
        // What goes through the global offset table has no table here: the place itself is what is named.
        case llvm::ELF::R_X86_64_PC32:
        case llvm::ELF::R_X86_64_PLT32:
        case llvm::ELF::R_X86_64_GOTPCREL:
        case llvm::ELF::R_X86_64_GOTPCRELX:
        case llvm::ELF::R_X86_64_REX_GOTPCRELX:
          word = relative;
          break;
        default:
          continue;
      }
      if (offset > found->relocated.size() || found->relocated.size() - offset < width) continue;
      // "mov rax, [symbol@GOTPCREL]" becomes "lea rax, [symbol]", as linkers make it.
      const bool through_table = relocation.getType() == llvm::ELF::R_X86_64_GOTPCREL ||
                                 relocation.getType() == llvm::ELF::R_X86_64_GOTPCRELX ||
                                 relocation.getType() == llvm::ELF::R_X86_64_REX_GOTPCRELX;
      constexpr std::uint8_t mov = 0x8b;
      constexpr std::uint8_t lea = 0x8d;
      if (through_table && offset >= 2 && found->relocated[offset - 2] == mov) found->relocated[offset - 2] = lea;
      std::memcpy(found->relocated.data() + offset, &word, width);
    }
  }
}

base::result<void> image::use_debug_file(const fs::path& path, const fs::path&) {
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
  const fs::path folder = fs::path(name_).parent_path();
  std::vector<fs::path> places;
  std::vector<fs::path> roots(folders.begin(), folders.end());
  roots.emplace_back("/usr/lib/debug");
  if (const std::string id = build_id(); !id.empty()) {
    for (const auto& root : roots) {
      places.push_back(root / ".build-id" / id.substr(0, 2) / (id.substr(2) + ".debug"));
    }
  }
  std::error_code ignored;
  if (const auto link = read_debug_link(*elf_)) {
    std::vector<fs::path> named{folder / link->name, folder / ".debug" / link->name};
    for (const auto& root : roots) {
      named.push_back(root / link->name);
      named.push_back(root / fs::absolute(folder, ignored).relative_path() / link->name);
    }
    for (const auto& place : named) {
      if (!fs::is_regular_file(place, ignored) || fs::equivalent(place, name_, ignored)) continue;
      auto content = llvm::MemoryBuffer::getFile(place.string(), false, false);
      if (content && llvm::crc32(llvm::arrayRefFromStringRef((*content)->getBuffer())) == link->checksum) {
        places.push_back(place);
      } else {
        problems_.push_back(fmt::format("{} is not the debug information of {}", place.string(), name_));
      }
    }
  }
  for (const auto& place : places) {
    if (fs::is_regular_file(place, ignored) && use_debug_file(place, folder)) return true;
  }
  return false;
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

std::uint64_t image::address_of(const object::SectionRef& of) const {
  return is_relocatable() ? addresses_->getSectionLoadAddress(of) : of.getAddress();
}

std::vector<image::section_view> image::sections_named(std::string_view name) const {
  std::vector<section_view> found;
  for (const auto& one : sections_) {
    auto its_name = one.reference.getName();
    if (!its_name) {
      llvm::consumeError(its_name.takeError());
    } else if (*its_name == llvm::StringRef(name.data(), name.size())) {
      found.push_back({.address = one.address, .content = one.content});
    }
  }
  return found;
}

std::vector<std::string_view> image::unloaded_sections_named(std::string_view name) const {
  std::vector<std::string_view> found;
  const auto look_through = [&](const object::ObjectFile& file) {
    for (const auto& one : file.sections()) {
      auto its_name = one.getName();
      if (!its_name || *its_name != llvm::StringRef(name.data(), name.size())) {
        if (!its_name) llvm::consumeError(its_name.takeError());
        continue;
      }
      if ((object::ELFSectionRef(one).getFlags() & llvm::ELF::SHF_ALLOC) != 0) continue;
      auto content = one.getContents();
      if (content) {
        found.emplace_back(content->data(), content->size());
      } else {
        llvm::consumeError(content.takeError());
      }
    }
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

image_file::image_file() = default;
image_file::image_file(image_file&&) noexcept = default;
image_file& image_file::operator=(image_file&&) noexcept = default;
image_file::~image_file() = default;

base::result<image_file> image_file::open(const fs::path& path) {
  std::error_code failed;
  const auto status = fs::status(path, failed);
  if (fs::is_directory(status)) return base::input_error(fmt::format("{} is a folder, not a binary", path.string()));
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    return base::input_error(fmt::format("{} is not a regular file", path.string()));
  }
  auto buffer = llvm::MemoryBuffer::getFile(path.string(), false, false);
  if (!buffer) return base::system_error(fmt::format("cannot read {}", path.string()), buffer.getError().value());
  return open(path.string(), std::move(*buffer));
}

base::result<image_file> image_file::open(std::string name, std::span<const std::uint8_t> content) {
  const llvm::StringRef bytes(reinterpret_cast<const char*>(content.data()), content.size());
  auto buffer = llvm::MemoryBuffer::getMemBuffer(bytes, name, /*RequiresNullTerminator=*/false);
  return open(std::move(name), std::move(buffer));
}

base::result<image_file> image_file::open(std::string name, std::unique_ptr<llvm::MemoryBuffer> buffer) {
  const fs::path path = name;
  image_file opened;
  opened.path_ = std::move(name);
  opened.buffer_ = std::move(buffer);
  const llvm::StringRef content = opened.buffer_->getBuffer();
  if (content.starts_with("!<arch>\n") || content.starts_with("!<thin>\n")) {
    auto archive = object::Archive::create(opened.buffer_->getMemBufferRef());
    if (!archive) {
      return base::input_error(fmt::format("{}: damaged archive: {}", path.string(), text_of(archive.takeError())));
    }
    opened.archive_ = std::move(*archive);
    return opened;
  }
  if (!content.starts_with("\x7f"
                           "ELF")) {
    return base::input_error(fmt::format("{} is not an ELF file", path.string()));
  }
  opened.members_ = 1;
  return opened;
}

base::result<void> image_file::for_each(const std::function<void(image&)>& use,
                                        const std::function<void(std::string)>& refuse) {
  const auto read = [&](const std::string& name, llvm::MemoryBufferRef content) -> base::result<void> {
    auto file = object::ObjectFile::createELFObjectFile(content);
    if (!file) {
      return base::input_error(fmt::format("{} is truncated or damaged: {}", name, text_of(file.takeError())));
    }
    const auto* elf = llvm::dyn_cast<object::ELFObjectFileBase>(file->get());
    if (elf == nullptr) return base::input_error(fmt::format("{} is not an ELF file", name));
    if (elf->getBytesInAddress() != 8 || !elf->isLittleEndian()) {
      return base::input_error(fmt::format("{} is for {}: only 64-bit little-endian programs can be read", name,
                                           elf->getFileFormatName().str()));
    }
    // A file cut short keeps its head but loses the table of sections, which stands at its end.
    if (elf->sections().empty()) {
      return base::input_error(fmt::format("{} is truncated or damaged: it has no sections", name));
    }
    if (const auto damage = damage_of(*elf)) {
      return base::input_error(fmt::format("{} is truncated or damaged: {}", name, *damage));
    }
    image one(name, std::move(*file));
    use(one);
    return {};
  };
  if (archive_ == nullptr) return read(path_, buffer_->getMemBufferRef());
  llvm::Error damaged = llvm::Error::success();
  for (const auto& child : archive_->children(damaged)) {
    auto content = child.getMemoryBufferRef();
    if (!content) {
      refuse(fmt::format("{}: {}", path_, text_of(content.takeError())));
      continue;
    }
    if (!content->getBuffer().starts_with("\x7f"
                                          "ELF")) {
      continue;
    }
    ++members_;
    if (auto done = read(
            fmt::format("{}({})", path_, fs::path(content->getBufferIdentifier().str()).filename().string()), *content);
        !done) {
      refuse(done.error().message);
    }
  }
  if (damaged) return base::input_error(fmt::format("{}: damaged archive: {}", path_, text_of(std::move(damaged))));
  return {};
}

}  // namespace tare::inspect
