#pragma once

// Where the coroutines of this process can be suspended: what the suspend index in a frame means, as file and line. The
// tables are made after linking (`tare_await_table(target)` for CMake, `tare frames --await-table` otherwise), and are
// a section of the binary that is never loaded. `tare::read_awaits()` of <tare/symbols.hpp> reads them.
//
//   auto read = [] { return tare::read_awaits(); };
//   const tare::program_awaits known = co_await tare::offload(read);
//   tare::snapshot_options options;
//   options.awaits = &known.table;
//   const tare::task_snapshot seen = co_await tare::snapshot(options);
//   for (const tare::frame_group& each : seen.groups) {
//     if (const auto at = known.table.place(each.resume, each.suspend_index)) { ... at->file, at->line ... }
//   }
//
// Bytes: none until it is read, then some 350 for each coroutine of the program, whether it has frames or not: half of
// that is text.

#include <tare/abi/await_section.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tare {

/// Views of the table that it comes from.
struct suspension_point {
  std::string_view function;  ///< readable: "serve(int)"
  std::string_view file;
  unsigned line = 0;      ///< of the await; of the coroutine before and after its body, and where nothing else is known
  bool is_await = false;  ///< the line is that of an await

  friend bool operator==(const suspension_point&, const suspension_point&) = default;
};

/// Any number of threads may ask it at the same time.
class await_table {
 public:
  /// Takes in the section of one module. `build_id` is that of the code which runs, in hexadecimal, and `load_bias`
  /// what the process adds to the file's addresses. The error says why the section cannot be used, and nothing has
  /// changed then: it is damaged, of another version, or was made for another build. Throws std::bad_alloc.
  [[nodiscard]] std::expected<void, std::string> add(std::string section, std::string_view build_id,
                                                     std::uintptr_t load_bias);

  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  [[nodiscard]] std::size_t coroutines() const noexcept { return entries_.size(); }

  /// Where a coroutine is suspended that goes on with the function `resume`; without an index, or with one that the
  /// table does not have, where it is declared. Nothing if the table does not have the coroutine.
  [[nodiscard]] std::optional<suspension_point> place(const void* resume,
                                                      std::optional<std::uint32_t> suspend_index = {}) const noexcept;

  /// nullptr: none.
  [[nodiscard]] const abi::await_section::coroutine* find(const void* resume) const noexcept;

 private:
  struct module {
    std::string text;
    abi::await_section section;
  };
  struct entry {
    std::uintptr_t resume;
    const module* in;
    const abi::await_section::coroutine* coroutine;
  };
  [[nodiscard]] const entry* entry_of(const void* resume) const noexcept;

  std::vector<std::unique_ptr<const module>> modules_;
  std::vector<entry> entries_;  ///< by the address
};

}  // namespace tare
