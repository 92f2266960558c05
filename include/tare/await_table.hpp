#pragma once

// Where the coroutines of this process can be suspended: maps the suspend index in a frame to file and line. The tables
// are made after linking (`tare_await_table(target)` for CMake, `tare frames --await-table` otherwise) and stored in a
// section of the binary that is never loaded. `tare::read_awaits()` of <tare/symbols.hpp> reads them.
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
// **Bytes** None until it is read, then about 350 per coroutine of the program, whether it has frames or not; half of
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

/// Its views refer to the table it comes from.
struct suspension_point {
  std::string_view function;  ///< demangled: "serve(int)"
  std::string_view file;
  unsigned line = 0;      ///< of the await; of the coroutine itself before and after its body, or if unknown
  bool is_await = false;  ///< the line is that of an await

  friend bool operator==(const suspension_point&, const suspension_point&) = default;
};

/// **Cancellation** Nothing here waits. **Threads** Any number of threads may read it concurrently.
class await_table {
 public:
  /// Adds the section of one module. `build_id` is that of the running code, in hexadecimal, and `load_bias` is what
  /// the process adds to the file's addresses.
  ///
  /// **Errors** Why the section cannot be used (damaged, of another version, or made for another build); the table is
  /// then unchanged. Throws std::bad_alloc.
  [[nodiscard]] std::expected<void, std::string> add(std::string section, std::string_view build_id,
                                                     std::uintptr_t load_bias);

  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  [[nodiscard]] std::size_t coroutines() const noexcept { return entries_.size(); }

  /// Where the coroutine with the resume function `resume` is suspended. Without an index, or with one that the table
  /// does not contain: where the coroutine is declared. Empty if the table does not contain the coroutine.
  [[nodiscard]] std::optional<suspension_point> place(const void* resume,
                                                      std::optional<std::uint32_t> suspend_index = {}) const noexcept;

  /// Each await whose line is known, ordered by file and line. An await in a template or an inlined function appears
  /// once for each coroutine that contains it. Throws std::bad_alloc.
  [[nodiscard]] std::vector<suspension_point> awaits() const;

  /// nullptr if the table does not contain it.
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
  std::vector<entry> entries_;  ///< sorted by address
};

}  // namespace tare
