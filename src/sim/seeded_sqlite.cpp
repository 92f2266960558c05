#include "sim/seeded_sqlite.hpp"

#include <link.h>

#include <cstddef>
#include <cstdint>
#include <span>

extern "C" {

// nullptr unless the program has SQLite.
[[gnu::weak]] int sqlite3_initialize();
[[gnu::weak]] void sqlite3_randomness(int size, void* into);
struct sqlite3;
[[gnu::weak]] int sqlite3_open_v2(const char* name, sqlite3** opened, int flags, const char* system);
}

namespace tare::sim::detail {

namespace {

struct range {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  [[nodiscard]] bool has(std::uintptr_t address) const noexcept { return address >= begin && address < end; }
};

/// The writable part of the library that contains `sqlite3_initialize`.
[[nodiscard]] range variables_of_sqlite() noexcept {
  range found;
  if (sqlite3_initialize == nullptr) return found;
  const auto look = [](dl_phdr_info* library, std::size_t /*size*/, void* into) {
    if (*library->dlpi_name == '\0') return 0;  // the program itself
    const auto code = reinterpret_cast<std::uintptr_t>(&sqlite3_initialize);
    range written;
    bool contains = false;
    for (const auto& part : std::span(library->dlpi_phdr, library->dlpi_phnum)) {
      if (part.p_type != PT_LOAD) continue;
      const range loaded{.begin = library->dlpi_addr + part.p_vaddr,
                         .end = library->dlpi_addr + part.p_vaddr + part.p_memsz};
      if (loaded.has(code)) contains = true;
      if ((part.p_flags & PF_W) != 0) written = loaded;
    }
    if (contains) *static_cast<range*>(into) = written;
    return contains ? 1 : 0;
  };
  (void)::dl_iterate_phdr(look, &found);
  return found;
}

/// SQLite keeps a list of the files that it has opened, and makes other calls if the list is empty. A crash leaves
/// files in it, so that it would be empty only in the first run: one that is never closed makes it the same in all.
void keep_a_file_open() noexcept {
  constexpr int read_only_without_mutex = 0x8001;  // SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX
  static sqlite3* kept = nullptr;
  if (kept == nullptr) (void)sqlite3_open_v2("/proc/self/exe", &kept, read_only_without_mutex, nullptr);
}

}  // namespace

void seed_sqlite() noexcept {
  if (sqlite3_initialize == nullptr || sqlite3_randomness == nullptr || sqlite3_open_v2 == nullptr) return;
  // What happens once in a process does not happen in a simulation, where it would be a step of the first run only.
  (void)sqlite3_initialize();
  keep_a_file_open();
  sqlite3_randomness(0, nullptr);
  (void)is_of_sqlite(nullptr);
}

bool is_of_sqlite(const void* address) noexcept {
  static const range variables = variables_of_sqlite();
  return variables.has(reinterpret_cast<std::uintptr_t>(address));
}

}  // namespace tare::sim::detail
