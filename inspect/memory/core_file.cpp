#include "inspect/memory/core_file.hpp"

#include <fmt/format.h>
#include <llvm/Support/MemoryBuffer.h>

#include <elf.h>
#include <sys/procfs.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::inspect {
namespace {

/// An object at the beginning of the rest; nullopt if the rest is too short.
template <class T>
std::optional<T> take(std::span<const std::uint8_t>& from) {
  if (from.size() < sizeof(T)) return std::nullopt;
  T object;
  std::memcpy(&object, from.data(), sizeof object);
  from = from.subspan(sizeof object);
  return object;
}

std::string_view take_text(std::span<const std::uint8_t>& from) {
  const auto end = std::ranges::find(from, std::uint8_t{0});
  const std::string_view text(reinterpret_cast<const char*>(from.data()), static_cast<std::size_t>(end - from.begin()));
  from = from.subspan(std::min(from.size(), text.size() + 1));
  return text;
}

/// The program headers that the file contains.
std::vector<Elf64_Phdr> segments_of(std::span<const std::uint8_t> file, const Elf64_Ehdr& head) {
  std::uint64_t count = head.e_phnum;
  if (count == PN_XNUM &&
      head.e_shoff < file.size()) {  // More than fit into the field: the first section has the count.
    auto sections = file.subspan(head.e_shoff);
    if (const auto first = take<Elf64_Shdr>(sections)) count = first->sh_info;
  }
  std::vector<Elf64_Phdr> segments;
  auto rest = file.subspan(std::min<std::uint64_t>(head.e_phoff, file.size()));
  for (; count != 0; --count) {
    const auto made = take<Elf64_Phdr>(rest);
    if (!made) break;
    segments.push_back(*made);
  }
  return segments;
}

}  // namespace

core_file::core_file() = default;
core_file::~core_file() = default;

base::result<std::unique_ptr<core_file>> core_file::open(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return base::input_error(fmt::format("{} is a folder, not a core file", path.string()));
  }
  auto buffer = llvm::MemoryBuffer::getFile(path.string(), false, false);
  if (!buffer) return base::system_error(fmt::format("cannot read {}", path.string()), buffer.getError().value());
  return open(path.string(), std::move(*buffer));
}

base::result<std::unique_ptr<core_file>> core_file::open(const std::string& name,
                                                         std::span<const std::uint8_t> content) {
  const llvm::StringRef bytes(reinterpret_cast<const char*>(content.data()), content.size());
  return open(name, llvm::MemoryBuffer::getMemBuffer(bytes, name, /*RequiresNullTerminator=*/false));
}

base::result<std::unique_ptr<core_file>> core_file::open(const std::string& name,
                                                         std::unique_ptr<llvm::MemoryBuffer> buffer) {
  std::unique_ptr<core_file> opened(new core_file);
  opened->buffer_ = std::move(buffer);
  const llvm::StringRef bytes = opened->buffer_->getBuffer();
  const std::span content(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  auto head_bytes = content;
  const auto head = take<Elf64_Ehdr>(head_bytes);
  if (!head || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0) {
    return base::input_error(fmt::format("{} is not a core file", name));
  }
  if (head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_ident[EI_DATA] != ELFDATA2LSB || head->e_machine != EM_X86_64) {
    return base::input_error(fmt::format("{} is not of a 64-bit x86 process: its frames cannot be read", name));
  }
  if (head->e_type != ET_CORE) {
    return base::input_error(fmt::format("{} is a program or a library, not a core file", name));
  }
  for (const auto& header : segments_of(content, *head)) {
    const std::uint64_t offset = header.p_offset;
    const std::uint64_t kept =
        offset < content.size() ? std::min<std::uint64_t>(header.p_filesz, content.size() - offset) : 0;
    if (kept < header.p_filesz) opened->truncated_ = true;
    const auto part = content.subspan(kept == 0 ? 0 : offset, kept);
    if (header.p_type == PT_NOTE) opened->read_notes(part);
    const bool wraps = header.p_vaddr + header.p_memsz < header.p_vaddr;
    if (header.p_type != PT_LOAD || header.p_memsz == 0 || wraps) continue;
    memory_region region;
    region.where = {.begin = header.p_vaddr, .end = header.p_vaddr + header.p_memsz};
    region.readable = (header.p_flags & PF_R) != 0;
    region.writable = (header.p_flags & PF_W) != 0;
    region.executable = (header.p_flags & PF_X) != 0;
    opened->regions_.push_back(std::move(region));
    if (!part.empty()) {
      opened->segments_.push_back(
          {.address = header.p_vaddr, .content = part.first(std::min<std::uint64_t>(part.size(), header.p_memsz))});
    }
  }
  const auto begin_of = [](const memory_region& region) { return region.where.begin; };
  std::ranges::sort(opened->regions_, {}, begin_of);
  std::ranges::sort(opened->segments_, {}, &segment::address);
  std::uint64_t end = 0;
  for (const auto& region : opened->regions_) {
    if (region.where.begin < end) return base::input_error(fmt::format("{} is damaged: its segments overlap", name));
    end = region.where.end;
  }
  if (opened->segments_.empty()) {
    return base::input_error(
        fmt::format("{} contains no memory{}", name, opened->truncated_ ? ": it is truncated" : ""));
  }
  std::ranges::sort(opened->files_, {}, begin_of);
  opened->name_regions();
  opened->add_left_out_regions();
  return opened;
}

void core_file::read_notes(std::span<const std::uint8_t> notes) {
  const auto padded = [](std::uint64_t bytes) { return (bytes + 3) / 4 * 4; };
  while (const auto head = take<Elf64_Nhdr>(notes)) {
    const std::uint64_t name_bytes = padded(head->n_namesz);
    if (name_bytes > notes.size() || head->n_descsz > notes.size() - name_bytes) return;
    auto content = notes.subspan(name_bytes, head->n_descsz);
    notes = notes.subspan(std::min<std::uint64_t>(notes.size(), name_bytes + padded(head->n_descsz)));
    switch (head->n_type) {
      case NT_PRSTATUS:
        if (const auto status = take<elf_prstatus>(content)) {
          constexpr std::size_t stack_pointer = 19;  // in the order of user_regs_struct
          if (pid_ == 0) pid_ = status->pr_pid;
          stack_pointers_.push_back(status->pr_reg[stack_pointer]);
        }
        break;
      case NT_PRPSINFO:
        if (const auto info = take<elf_prpsinfo>(content)) {
          pid_ = info->pr_pid;
          command_ = std::string(info->pr_fname, ::strnlen(info->pr_fname, sizeof info->pr_fname));
        }
        break;
      case NT_AUXV:
        while (const auto entry = take<Elf64_auxv_t>(content)) {
          if (entry->a_type == AT_ENTRY) entry_ = entry->a_un.a_val;
        }
        break;
      case NT_FILE:
        name_files(content);
        break;
      default:
        break;
    }
  }
}

void core_file::name_files(std::span<const std::uint8_t> list) {
  struct list_head {
    std::uint64_t count;
    std::uint64_t page;
  };
  struct entry {
    std::uint64_t begin;
    std::uint64_t end;
    std::uint64_t page_offset;
  };
  const auto head = take<list_head>(list);
  constexpr std::uint64_t max_page = std::uint64_t{1} << 30U;
  if (!head || head->page == 0 || head->page > max_page || head->count > list.size() / sizeof(entry)) return;
  auto names = list.subspan(head->count * sizeof(entry));
  for (std::uint64_t i = 0; i < head->count; ++i) {
    const auto named = take<entry>(list);
    if (!named) return;
    memory_region memory_region;
    memory_region.where = {.begin = named->begin, .end = named->end};
    memory_region.file_offset = named->page_offset * head->page;
    memory_region.path = take_text(names);
    if (memory_region.where.begin < memory_region.where.end) files_.push_back(std::move(memory_region));
  }
}

/// The file that each region is mapped from.
void core_file::name_regions() {
  const auto begin_of = [](const memory_region& region) { return region.where.begin; };
  for (auto& region : regions_) {
    const auto after = std::ranges::upper_bound(files_, region.where.begin, {}, begin_of);
    if (after == files_.begin()) continue;
    const auto& named = *(after - 1);
    if (!named.where.contains(region.where.begin)) continue;
    region.path = named.path;
    region.file_offset = named.file_offset + (region.where.begin - named.where.begin);
  }
}

/// gdb writes no program headers for memory that it omits, such as code: only the list of files names it, without
/// permissions. A file with several mapped parts is assumed to be a program or library.
void core_file::add_left_out_regions() {
  const auto begin_of = [](const memory_region& region) { return region.where.begin; };
  std::map<std::string_view, std::size_t> parts;
  for (const auto& file : files_) ++parts[file.path];
  std::vector<memory_region> left_out;
  for (const auto& file : files_) {
    const auto after = std::ranges::upper_bound(regions_, file.where.begin, {}, begin_of);
    const bool covered = after != regions_.begin() && (after - 1)->where.contains(file.where.begin);
    const bool overlaps = after != regions_.end() && after->where.begin < file.where.end;
    const bool repeated = !left_out.empty() && file.where.begin < left_out.back().where.end;
    if (covered || overlaps || repeated) continue;
    memory_region& region = left_out.emplace_back(file);
    region.readable = true;
    region.executable = parts[file.path] > 1;
  }
  std::ranges::move(left_out, std::back_inserter(regions_));
  std::ranges::sort(regions_, {}, begin_of);
}

std::size_t core_file::read(std::uint64_t address, std::span<std::byte> buffer) const {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const std::uint64_t position = address + done;
    const auto after = std::ranges::upper_bound(segments_, position, {}, &segment::address);
    if (after == segments_.begin()) break;
    const auto& from = *(after - 1);
    const std::uint64_t inside = position - from.address;
    if (inside >= from.content.size()) break;
    const auto length = std::min<std::uint64_t>(buffer.size() - done, from.content.size() - inside);
    std::memcpy(buffer.data() + done, from.content.data() + inside, length);
    done += length;
  }
  return done;
}

std::vector<address_range> core_file::present(const memory_region& region) const {
  const auto found = std::ranges::lower_bound(segments_, region.where.begin, {}, &segment::address);
  if (found == segments_.end() || found->address != region.where.begin) return {};
  return {{.begin = found->address, .end = found->address + found->content.size()}};
}

std::vector<address_range> core_file::stacks() const {
  std::vector<address_range> found;
  for (const auto pointer : stack_pointers_) {
    if (const auto* region = region_at(pointer); region != nullptr) {
      found.push_back({.begin = pointer, .end = region->where.end});
    }
  }
  return found;
}

std::uint64_t core_file::bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& each : segments_) sum += each.content.size();
  return sum;
}

}  // namespace tare::inspect
