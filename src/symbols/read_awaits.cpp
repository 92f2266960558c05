#include <tare/symbols.hpp>

#include <gelf.h>
#include <libelf.h>

#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tare {

namespace {

/// A table has a few hundred bytes of text per coroutine; anything larger was not made by the command.
constexpr std::size_t max_table = std::size_t{64} << 20U;

constexpr const char* this_program = "/proc/self/exe";

/// A file whose code runs in this process.
struct loaded_module {
  std::string file;
  std::string build_id;  ///< of the running code; the file may have been replaced since
  std::uintptr_t bias = 0;
};

std::string hexadecimal(std::span<const unsigned char> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const unsigned byte : bytes) {
    text += digits[byte / 16];
    text += digits[byte % 16];
  }
  return text;
}

/// The build id in the notes of a loaded segment; empty if there is none.
std::string build_id_in(std::span<const unsigned char> notes) {
  constexpr std::array<char, 4> gnu{'G', 'N', 'U', '\0'};
  const auto padded = [](std::size_t bytes) { return (bytes + 3) / 4 * 4; };
  ElfW(Nhdr) head{};
  while (notes.size() >= sizeof head) {
    std::memcpy(&head, notes.data(), sizeof head);
    notes = notes.subspan(sizeof head);
    const std::size_t name = padded(head.n_namesz);
    const std::size_t content = padded(head.n_descsz);
    if (name > notes.size() || content > notes.size() - name) break;
    if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == gnu.size() &&
        std::memcmp(notes.data(), gnu.data(), gnu.size()) == 0) {
      return hexadecimal(notes.subspan(name, head.n_descsz));
    }
    notes = notes.subspan(name + content);
  }
  return {};
}

loaded_module described(const dl_phdr_info& loaded) {
  loaded_module module{.file = loaded.dlpi_name, .build_id = {}, .bias = loaded.dlpi_addr};
  for (const auto& segment : std::span(loaded.dlpi_phdr, loaded.dlpi_phnum)) {
    if (segment.p_type != PT_NOTE || !module.build_id.empty()) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the address where it is loaded
    const auto* const notes = reinterpret_cast<const unsigned char*>(loaded.dlpi_addr + segment.p_vaddr);
    module.build_id = build_id_in({notes, segment.p_memsz});
  }
  return module;
}

/// The program is first.
std::vector<loaded_module> loaded_modules() {
  struct list {
    std::vector<loaded_module> modules;
    std::exception_ptr failure;
  } found;
  const auto add = [](dl_phdr_info* loaded, std::size_t, void* to) noexcept {
    auto& all = *static_cast<list*>(to);
    try {
      all.modules.push_back(described(*loaded));
    } catch (...) {
      all.failure = std::current_exception();
    }
    return all.failure ? 1 : 0;
  };
  dl_iterate_phdr(add, &found);
  if (found.failure) std::rethrow_exception(found.failure);
  if (!found.modules.empty()) found.modules.front().file = this_program;
  // The kernel's own module has no file.
  std::erase_if(found.modules, [](const loaded_module& module) { return !module.file.starts_with('/'); });
  return std::move(found.modules);
}

class descriptor {
 public:
  explicit descriptor(const std::string& file) noexcept : number_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_;
};

struct closing {
  void operator()(Elf* opened) const noexcept { elf_end(opened); }
};

/// The content of the file's section; nothing if there is none or it cannot be read.
std::optional<std::string> section_of(const std::string& file) {
  const descriptor opened(file);
  if (opened.number() < 0 || elf_version(EV_CURRENT) == EV_NONE) return std::nullopt;
  const std::unique_ptr<Elf, closing> elf(elf_begin(opened.number(), ELF_C_READ, nullptr));
  std::size_t names = 0;
  if (elf == nullptr || elf_getshdrstrndx(elf.get(), &names) != 0) return std::nullopt;
  for (Elf_Scn* cursor = elf_nextscn(elf.get(), nullptr); cursor != nullptr; cursor = elf_nextscn(elf.get(), cursor)) {
    GElf_Shdr head;
    if (gelf_getshdr(cursor, &head) == nullptr) continue;
    const char* const name = elf_strptr(elf.get(), names, head.sh_name);
    if (name == nullptr || name != abi::await_section::name) continue;
    const Elf_Data* const content = elf_rawdata(cursor, nullptr);
    if (content == nullptr || content->d_buf == nullptr || content->d_size > max_table) return std::string();
    return std::string(static_cast<const char*>(content->d_buf), content->d_size);
  }
  return std::nullopt;
}

/// The path as the user knows it.
std::string shown_name(const std::string& file) {
  if (file != this_program) return file;
  std::array<char, PATH_MAX> path{};
  const ssize_t length = ::readlink(this_program, path.data(), path.size());
  return length <= 0 ? file : std::string(path.data(), static_cast<std::size_t>(length));
}

}  // namespace

program_awaits read_awaits() {
  program_awaits read;
  for (loaded_module& each : loaded_modules()) {
    std::optional<std::string> section = section_of(each.file);
    if (!section) {
      // Most libraries have no table, and need none.
      if (each.file == this_program) {
        read.notes.push_back(shown_name(each.file) +
                             ": no await table, so the lines of awaits are unknown: make one with "
                             "tare_await_table() in its CMakeLists.txt");
      }
      continue;
    }
    const auto added = read.table.add(*std::move(section), each.build_id, each.bias);
    if (!added) {
      read.notes.push_back(shown_name(each.file) + ": its await table is not used: " + added.error());
    }
  }
  return read;
}

}  // namespace tare
