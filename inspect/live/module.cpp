#include "inspect/live/module.hpp"

#include "base/file_descriptor.hpp"

#include <fmt/format.h>

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <optional>
#include <utility>

namespace tare::inspect {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t page = 4096;

/// The first page of an ELF file, which has its program headers and usually its build id.
struct file_head {
  std::vector<std::byte> first_page;
  std::uint64_t entry = 0;
  std::vector<Elf64_Phdr> segments;
};

/// Nothing if the file is not a 64-bit x86 program or library.
std::optional<file_head> read_head(const fs::path& path) {
  // A core file may name anything, also a pipe.
  const base::file_descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat kind{};
  if (!file || ::fstat(file.get(), &kind) != 0 || !S_ISREG(kind.st_mode)) return std::nullopt;
  file_head head;
  head.first_page.resize(page);
  const ssize_t length = ::pread(file.get(), head.first_page.data(), page, 0);
  Elf64_Ehdr elf{};
  if (std::cmp_less(length, sizeof elf)) return std::nullopt;
  head.first_page.resize(static_cast<std::size_t>(length));
  std::memcpy(&elf, head.first_page.data(), sizeof elf);
  const bool usable = std::memcmp(elf.e_ident, ELFMAG, SELFMAG) == 0 && elf.e_ident[EI_CLASS] == ELFCLASS64 &&
                      elf.e_machine == EM_X86_64 && elf.e_phentsize == sizeof(Elf64_Phdr);
  if (!usable) return std::nullopt;
  head.entry = elf.e_entry;
  head.segments.resize(elf.e_phnum);
  const auto bytes = static_cast<ssize_t>(head.segments.size() * sizeof(Elf64_Phdr));
  if (::pread(file.get(), head.segments.data(), static_cast<std::size_t>(bytes), static_cast<off_t>(elf.e_phoff)) !=
      bytes) {
    return std::nullopt;
  }
  return head;
}

/// The mappings of one file in a process.
struct mapped_file {
  std::string path;
  std::vector<const memory_region*> regions;
};

std::vector<mapped_file> mapped_files(const address_space& memory) {
  std::vector<mapped_file> files;
  std::map<std::string_view, std::size_t> known;
  for (const auto& region : memory.regions()) {
    if (!region.path.starts_with('/')) continue;
    const auto [found, added] = known.emplace(region.path, files.size());
    if (added) files.push_back({.path = region.path, .regions = {}});
    files[found->second].regions.push_back(&region);
  }
  std::erase_if(files, [](const mapped_file& file) {
    return std::ranges::none_of(file.regions, [](const memory_region* region) { return region->executable; });
  });
  return files;
}

/// Whether the file is the one that the process has mapped: its first page is equal. A core file may not contain it.
bool is_same(const address_space& memory, std::uint64_t start, const file_head& head) {
  std::vector<std::byte> mapped(head.first_page.size());
  const std::size_t length = memory.read(start, mapped);
  return std::equal(mapped.begin(), mapped.begin() + static_cast<std::ptrdiff_t>(length), head.first_page.begin());
}

/// The file's executable part, and its load bias in the process.
std::optional<module> place(const mapped_file& mapped, const file_head& head) {
  for (const auto& segment : head.segments) {
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    const std::uint64_t offset = segment.p_offset / page * page;
    for (const auto* region : mapped.regions) {
      if (!region->executable || region->file_offset != offset) continue;
      module placed;
      placed.load_bias = region->where.begin - segment.p_vaddr / page * page;
      placed.code = {.begin = region->where.begin,
                     .end = region->where.begin + (segment.p_vaddr % page) + segment.p_memsz};
      return placed;
    }
  }
  return std::nullopt;
}

/// The mapping of the file's beginning; nothing if that part is not mapped.
std::optional<std::uint64_t> start_of(const mapped_file& mapped) {
  for (const auto* region : mapped.regions) {
    if (region->file_offset == 0) return region->where.begin;
  }
  return std::nullopt;
}

constexpr std::string_view deleted = " (deleted)";

class search {
 public:
  search(const address_space& memory, const module_search& how, std::vector<std::string>& notes)
      : memory_(memory), how_(how), notes_(notes) {
    if (how.pid != 0) {
      std::error_code failed;
      program_ = fs::read_symlink(fmt::format("/proc/{}/exe", how.pid), failed).string();
    }
  }

  base::result<std::vector<module>> run() {
    for (const auto& mapped : mapped_files(memory_)) {
      if (const auto found = find(mapped); found) {
        const bool first = !program_.empty() ? mapped.path == program_ : is_program(*found);
        found_.insert(first ? found_.begin() : found_.end(), *found);
      }
    }
    if (!how_.program.empty()) {
      if (auto added = add_program(); !added) return std::unexpected(added.error());
    }
    if (found_.empty()) {
      return base::input_error(how_.pid != 0 ? fmt::format("cannot read the program of process {}", how_.pid)
                                             : "the core file does not name its program: give it with --exe");
    }
    return std::move(found_);
  }

 private:
  /// The paths under which the file may be found, best first.
  std::vector<fs::path> places_of(const mapped_file& mapped) const {
    std::string path = mapped.path;
    const bool gone = path.ends_with(deleted);
    std::vector<fs::path> places;
    if (!gone) places.emplace_back(path);
    if (how_.pid == 0) return places;
    // The process may have another root: a container.
    if (!gone) places.emplace_back(fmt::format("/proc/{}/root{}", how_.pid, path));
    if (mapped.path == program_) places.emplace_back(fmt::format("/proc/{}/exe", how_.pid));
    for (const auto* region : mapped.regions) {
      if (region->executable) {
        places.emplace_back(
            fmt::format("/proc/{}/map_files/{:x}-{:x}", how_.pid, region->where.begin, region->where.end));
        break;
      }
    }
    return places;
  }

  std::optional<module> find(const mapped_file& mapped) {
    const auto start = start_of(mapped);
    bool any = false;
    for (const auto& place_of_file : places_of(mapped)) {
      const auto head = read_head(place_of_file);
      if (!head) continue;
      any = true;
      if (start && !is_same(memory_, *start, *head)) continue;
      auto placed = place(mapped, *head);
      if (!placed) continue;
      placed->name =
          mapped.path.ends_with(deleted) ? mapped.path.substr(0, mapped.path.size() - deleted.size()) : mapped.path;
      placed->file = place_of_file;
      entries_.emplace_back(placed->load_bias + head->entry, placed->load_bias);
      return placed;
    }
    const bool given = how_.pid == 0 && !how_.program.empty();
    if (!given || any) {
      notes_.push_back(
          any ? fmt::format("{} has been replaced since the process started: its coroutines are not shown", mapped.path)
              : fmt::format("cannot read {}: its coroutines are not shown", mapped.path));
      // The program of a core file may have been moved or rebuilt.
      const bool is_program = how_.pid == 0 && std::ranges::any_of(mapped.regions, [this](const auto* region) {
                                return region->where.contains(how_.entry);
                              });
      if (is_program) notes_.back() += "; --exe names the program that wrote the core file";
    }
    return std::nullopt;
  }

  /// Whether it contains the entry address of the program.
  [[nodiscard]] bool is_program(const module& module) const {
    return how_.entry != 0 && std::ranges::find(entries_, std::pair(how_.entry, module.load_bias)) != entries_.end();
  }

  /// The program that the caller names, for a core file.
  base::result<void> add_program() {
    const auto head = read_head(how_.program);
    if (!head) {
      const base::file_descriptor file(::open(how_.program.c_str(), O_RDONLY | O_CLOEXEC));
      if (!file) return base::system_error(fmt::format("cannot read {}", how_.program.string()), errno);
      return base::input_error(fmt::format("{} is not a 64-bit x86 program", how_.program.string()));
    }
    if (how_.entry == 0)
      return base::input_error("the core file does not say where its program is: it has no NT_AUXV note");
    module placed;
    placed.name = how_.program.string();
    placed.file = how_.program;
    placed.load_bias = how_.entry - head->entry;
    std::uint64_t first = 0;
    for (const auto& segment : head->segments) {
      if (segment.p_type != PT_LOAD) continue;
      if (segment.p_offset == 0) first = placed.load_bias + segment.p_vaddr;
      if ((segment.p_flags & PF_X) == 0) continue;
      placed.code = {.begin = placed.load_bias + segment.p_vaddr,
                     .end = placed.load_bias + segment.p_vaddr + segment.p_memsz};
    }
    if (placed.load_bias % page != 0 || (first != 0 && !is_same(memory_, first, *head))) {
      return base::input_error(fmt::format("{} is not the program that wrote the core file", how_.program.string()));
    }
    std::erase_if(found_, [&](const module& each) { return each.load_bias == placed.load_bias; });
    found_.insert(found_.begin(), std::move(placed));
    return {};
  }

  const address_space& memory_;
  const module_search& how_;
  std::vector<std::string>& notes_;
  std::string program_;  ///< as the kernel names it
  std::vector<module> found_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> entries_;  ///< where each begins to run, and its bias
};

}  // namespace

base::result<std::vector<module>> find_modules(const address_space& memory, const module_search& how,
                                               std::vector<std::string>& notes) {
  return search(memory, how, notes).run();
}

}  // namespace tare::inspect
