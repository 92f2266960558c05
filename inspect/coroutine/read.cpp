#include "inspect/coroutine/read.hpp"

#include "inspect/coroutine/analyze.hpp"
#include "inspect/coroutine/await_table.hpp"
#include "inspect/coroutine/budget_marks.hpp"
#include "inspect/coroutine/frame_source.hpp"
#include "inspect/coroutine/part_symbol.hpp"
#include "inspect/coroutine/readable_name.hpp"
#include "inspect/coroutine/requested_bytes.hpp"
#include "inspect/coroutine/rust.hpp"
#include "inspect/coroutine/rust_vtables.hpp"
#include "inspect/dwarf/line_rows.hpp"
#include "inspect/dwarf/source_path.hpp"
#include "inspect/object/image_file.hpp"

#include <tare/abi/await_section.hpp>

#include <fmt/format.h>
#include <llvm/DebugInfo/DWARF/DWARFCompileUnit.h>
#include <llvm/DebugInfo/DWARF/DWARFUnit.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;
namespace fs = std::filesystem;

/// The addresses of all functions that belong to coroutines according to their symbols.
std::vector<std::uint64_t> coroutine_addresses(const image& file) {
  std::vector<std::uint64_t> addresses;
  for (const auto& function : file.functions()) {
    if (part_symbol_of(function.name)) addresses.push_back(function.address);
  }
  return addresses;
}

bool is_rust(const llvm::DWARFDie& unit) {
  const auto language = dwarf::toUnsigned(unit.find(dwarf::DW_AT_language), 0);
  constexpr std::uint64_t old_rust = 0x9000;
  return language == dwarf::DW_LANG_Rust || language == old_rust;
}

/// The content of a unit's first entry. No entry is stored here, because reading the others moves it.
struct unit_head {
  bool rust = false;
  std::string split_file;  ///< empty if the entries are in this file
};

std::optional<unit_head> read_head(llvm::DWARFUnit& unit) {
  const llvm::DWARFDie entry = unit.getUnitDIE(true);
  if (!entry.isValid()) return std::nullopt;
  return unit_head{.rust = is_rust(entry),
                   .split_file = dwarf::toString(entry.find({dwarf::DW_AT_dwo_name, dwarf::DW_AT_GNU_dwo_name}), "")};
}

class reader {
 public:
  explicit reader(const read_options& options) : options_(options), only_(options.only) { std::ranges::sort(only_); }

  void read(image& file) {
    report_.functions += file.functions().size();
    if (!file.has_debug_information()) file.find_debug_file(options_.debug_folders);
    const auto bodies = only_.empty() ? coroutine_addresses(file) : only_;
    const std::size_t before = report_.coroutines.size();
    budgets_ = read_budget_marks(file);
    budgets_in_use_.clear();
    records_ = {};
    missing_split_files_.clear();
    for (const auto section : file.unloaded_sections_named(".tare.frames")) records_.add(section);
    if (records_.refused() > 0) {
      note(fmt::format("{}: {} of the compiler's records in .tare.frames cannot be read and are ignored", file.name(),
                       records_.refused()));
    }
    has_await_table_ = false;
    if (!file.is_relocatable()) report_.build_id = file.build_id();
    for (const auto& section : file.sections_named(".tare.arena")) report_.arenas.push_back(section.address);
    // Symbols can show that there are no coroutines only for C++.
    const bool none = !options_.rust && bodies.empty() && file.has_symbols();
    if (file.has_debug_information() && !none) {
      if (!file.is_x86_64()) {
        note(fmt::format("{}: code for {} cannot be read, so only sizes and fields are known", file.name(),
                         file.file().getFileFormatName().str()));
      }
      read_units(file, bodies);
    }
    if (options_.await_tables && !file.has_debug_information()) add_from_await_table(file);
    if (only_.empty()) add_unknown(file, before);
    if (!file.has_debug_information() && !file.has_symbols() && !has_await_table_) note_stripped(file);
    set_budgets_by_symbols(file, before);
    if (only_.empty()) add_idle_budgets(file);
    for (const auto& problem : file.dwarf_problems()) note(fmt::format("{}: {}", file.name(), problem));
  }

  void note(std::string text) {
    constexpr std::size_t most = 50;
    std::ranges::replace(text, '\n', ' ');
    if (report_.notes.size() < most && std::ranges::find(report_.notes, text) == report_.notes.end()) {
      report_.notes.push_back(std::move(text));
    }
  }

  coroutine_report take() { return std::move(report_); }

 private:
  void read_units(image& file, const std::vector<std::uint64_t>& bodies) {
    llvm::DWARFContext& context = file.dwarf();
    std::unique_ptr<landing_pads> pads;
    std::set<std::pair<std::string, std::uint64_t>> seen;
    std::vector<rust_vtable> vtables;
    const std::size_t before = report_.coroutines.size();
    const auto look_at = [&](llvm::DWARFUnit& unit) {
      const auto head = read_head(unit);
      if (!head) return;
      const bool rust = head->rust;
      if (rust ? !options_.rust : !may_have_coroutines(unit, file, bodies)) return;
      const llvm::DWARFDie full = unit.getNonSkeletonUnitDIE(false);
      if (!full.isValid()) return;
      llvm::DWARFUnit& entries = *full.getDwarfUnit();
      if (&entries == &unit && !head->split_file.empty()) {
        missing_split_files_.push_back(head->split_file);
        return;
      }
      if (!decoder_) decoder_ = std::make_unique<disassembler>();
      if (!pads) pads = std::make_unique<landing_pads>(file);
      const line_rows lines = options_.code ? line_rows(context, unit) : line_rows();
      const unit_context here{.file = file,
                              .unit = entries,
                              .lines = lines,
                              .decoder = *decoder_,
                              .pads = *pads,
                              .budgets = budgets_,
                              .records = records_,
                              .liveness = options_.liveness,
                              .code = options_.code};
      if (rust) {
        for (auto& each : find_rust_coroutines(here)) add(std::move(each), seen);
        if (options_.future_vtables) std::ranges::move(find_rust_vtables(here), std::back_inserter(vtables));
        return;
      }
      for (const auto& source : find_frame_sources(here)) {
        if (!is_wanted(source)) continue;
        auto [each, marks, is_oversized] = analyze(here, source);
        if (is_oversized) oversized_.push_back(each.name);
        budgets_in_use_.insert(marks.begin(), marks.end());
        add(std::move(each), seen);
      }
    };
    for (const auto& unit : context.compile_units()) {
      look_at(*unit);
      context.clearLineTableForUnit(unit.get());
      unit->clear();
    }
    add_vtables(file, before, vtables);
    note_missing_split_files(file);
    note_oversized(file);
  }

  void note_oversized(const image& file) {
    if (oversized_.empty()) return;
    note(fmt::format("{}: the frame of {} is described larger than what the code requests ({} such coroutines)",
                     file.name(), oversized_.front(), oversized_.size()));
    oversized_.clear();
  }

  void set_budgets_by_symbols(const image& file, std::size_t before) {
    const auto coroutines = std::span(report_.coroutines).subspan(before);
    for (const auto& [mark, subject] : find_budgets_by_symbols(file, budgets_, coroutines)) {
      coroutines[subject].declared_budget = budgets_[mark].bytes;
      budgets_in_use_.insert(mark);
    }
  }

  void add_idle_budgets(image& file) {
    for (auto& each : find_idle_budgets(file, budgets_, budgets_in_use_)) {
      auto& all = report_.idle_budgets;
      if (std::ranges::find(all, each) == all.end()) all.push_back(std::move(each));
    }
  }

  void note_stripped(const image& file) {
    report_.stripped = true;
    note(fmt::format(
        "{}: stripped of symbols and debug information, so coroutines in it are not seen: build with -g, and "
        "keep the debug file beside it or in a --debug-dir",
        file.name()));
  }

  void note_missing_split_files(const image& file) {
    const auto& missing = missing_split_files_;
    if (missing.empty()) return;
    const std::string more = missing.size() > 1 ? fmt::format(" and {} more are", missing.size() - 1) : " is";
    note(fmt::format("{}: the split debug information {}{} missing: keep the .dwo files, or pack them with dwp",
                     file.name(), missing.front(), more));
  }

  /// Called after all units have been read: a vtable and its coroutine may be in different units.
  void add_vtables(const image& file, std::size_t before, std::span<const rust_vtable> vtables) {
    std::map<std::pair<std::string, std::uint64_t>, std::uint32_t> by_type;
    for (std::size_t i = before; i < report_.coroutines.size(); ++i) {
      const auto& each = report_.coroutines[i];
      if (each.made_by != producer::rustc) continue;
      by_type.try_emplace({each.linkage_name, each.frame_bytes.value_or(0)}, static_cast<std::uint32_t>(i));
    }
    for (const auto& each : vtables) {
      // The function that drops the future is followed by size and alignment: these must match the file.
      std::array<std::uint64_t, 3> head{};
      const auto content = file.read(each.address, sizeof head);
      if (content.size() != sizeof head || each.bytes == 0) continue;
      std::memcpy(head.data(), content.data(), sizeof head);
      const auto [drop, bytes, alignment] = head;
      if (bytes != each.bytes || !std::has_single_bit(alignment)) continue;
      const auto next = static_cast<std::uint32_t>(report_.coroutines.size());
      const auto [known, added] = by_type.try_emplace({each.type, bytes}, next);
      if (added) {
        coroutine future;
        future.name = future.linkage_name = each.type;
        future.made_by = producer::rustc;
        future.allocated_by = allocation::inside;
        future.image = file.name();
        future.frame_bytes = bytes;
        report_.coroutines.push_back(std::move(future));
      }
      report_.vtables.push_back(
          {.address = each.address, .coroutine = known->second, .bytes = bytes, .alignment = alignment});
    }
  }

  [[nodiscard]] bool is_wanted(const frame_source& source) const {
    return only_.empty() || std::ranges::any_of(source.functions, [&](const frame_function& function) {
             return function.role == function_role::resume &&
                    std::ranges::binary_search(only_, function.ranges.front().begin);
           });
  }

  static bool may_have_coroutines(llvm::DWARFUnit& unit, const image& file, const std::vector<std::uint64_t>& bodies) {
    if (!file.has_symbols()) return true;
    auto ranges = unit.collectAddressRanges();
    if (!ranges) {
      llvm::consumeError(ranges.takeError());
      return true;
    }
    if (ranges->empty()) return !bodies.empty();
    return std::ranges::any_of(*ranges, [&](const llvm::DWARFAddressRange& range) {
      const auto found = std::ranges::lower_bound(bodies, range.LowPC);
      return found != bodies.end() && *found < range.HighPC;
    });
  }

  void add(coroutine coroutine, std::set<std::pair<std::string, std::uint64_t>>& seen) {
    const std::uint64_t address = coroutine.resume_address != 0 ? coroutine.resume_address : coroutine.destroy_address;
    if (seen.emplace(coroutine.linkage_name, address).second) report_.coroutines.push_back(std::move(coroutine));
  }

  void add_from_await_table(const image& file) {
    const auto sections = file.unloaded_sections_named(abi::await_section::name);
    if (sections.empty()) return;
    auto table = parse_await_table(sections.front(), file.build_id());
    if (!table) {
      note(fmt::format("{}: its await table is not used: {}", file.name(), table.error().message));
      return;
    }
    for (auto& each : *table) {
      each.image = file.name();
      report_.coroutines.push_back(std::move(each));
    }
    has_await_table_ = true;
  }

  /// Where a function is declared, if the debug information says so.
  static source_line beginning_of(const function_symbol& function, image& file) {
    if (!file.has_debug_information()) return {};
    using kind = llvm::DILineInfoSpecifier;
    const auto line = file.dwarf().getLineInfoForAddress(
        {function.address}, {kind::FileLineInfoKind::RelativeFilePath, kind::FunctionNameKind::None});
    if (!line || line->StartLine == 0) return {};
    return {.file = source_path(file.dwarf(), function.address, line->StartFileName), .line = line->StartLine};
  }

  /// Another function of the coroutine that `body` with this symbol belongs to; 0 if there is none.
  static std::uint64_t address_of_part(const image& file, std::string_view symbol, const part_symbol& body,
                                       function_role role) {
    const std::string_view bare = without_clone_suffixes(symbol);
    const std::string_view stem = bare.substr(0, bare.find_last_of('.'));
    const std::string_view ending = role == function_role::destroy ? ".destroy" : ".cleanup";
    if (body.made_by == producer::gcc && role == function_role::cleanup) return 0;
    // If there are several copies, those with the same suffix belong together.
    for (const std::string_view suffix : {symbol.substr(bare.size()), std::string_view()}) {
      const auto* found = file.function_named(fmt::format("{}{}{}", stem, ending, suffix));
      if (found != nullptr) return found->address;
    }
    return 0;
  }

  /// The coroutines that only the symbols describe.
  void add_unknown(image& file, std::size_t before) {
    std::unordered_set<std::uint64_t> known;
    for (std::size_t i = before; i < report_.coroutines.size(); ++i) {
      known.insert(report_.coroutines[i].resume_address);
    }
    std::size_t unknown = 0;
    std::optional<landing_pads> pads;
    for (const auto& function : file.functions()) {
      const auto body = body_of(function.name);
      if (!body || !known.insert(function.address).second) continue;
      coroutine coroutine;
      coroutine.linkage_name = body->coroutine;
      coroutine.name = readable_function(body->coroutine);
      coroutine.made_by = body->made_by;
      coroutine.image = file.name();
      coroutine.resume_address = function.address;
      coroutine.destroy_address = address_of_part(file, function.name, *body, function_role::destroy);
      coroutine.cleanup_address = address_of_part(file, function.name, *body, function_role::cleanup);
      if (const auto* ramp = file.function_named(body->coroutine); ramp != nullptr && file.is_x86_64()) {
        if (!decoder_) decoder_ = std::make_unique<disassembler>();
        if (!pads) pads.emplace(file);
        coroutine.frame_bytes = requested_bytes(file, *decoder_, *pads, *ramp);
        coroutine.declared = beginning_of(*ramp, file);
      }
      report_.coroutines.push_back(std::move(coroutine));
      ++unknown;
    }
    if (unknown == 0) return;
    if (!file.has_debug_information()) {
      note(fmt::format("{}: no debug information, so only the sizes that the code requests are known: build with -g",
                       file.name()));
    } else if (missing_split_files_.empty()) {
      note(fmt::format(
          "{}: {} of its coroutines have no description of their frame, so at most its size is known: build "
          "them with -g (not -g1), and with clang 20 or newer, or g++",
          file.name(), unknown));
    }
  }

  const read_options& options_;
  std::vector<std::uint64_t> only_;  ///< by address
  coroutine_report report_;
  std::unique_ptr<disassembler> decoder_;
  std::vector<budget_mark> budgets_;              ///< of the file that is being read
  std::set<std::size_t> budgets_in_use_;          ///< the numbers of those that apply to a coroutine
  compiler_records records_;                      ///< likewise
  bool has_await_table_ = false;                  ///< likewise
  std::vector<std::string> oversized_;            ///< likewise: coroutines with `is_oversized`
  std::vector<std::string> missing_split_files_;  ///< likewise
};

base::result<coroutine_report> read_all(image_file& file, const std::string& name, const read_options& options) {
  reader all(options);
  std::size_t refused = 0;
  const auto done_with_all = file.for_each([&](image& image) { all.read(image); },
                                           [&](std::string problem) {
                                             ++refused;
                                             all.note(std::move(problem));
                                           });
  if (!done_with_all) return std::unexpected(done_with_all.error());
  if (file.is_archive() && file.size() == refused)
    return base::input_error(fmt::format("{} contains no ELF file", name));
  return all.take();
}

}  // namespace

base::result<coroutine_report> read_coroutines(const fs::path& binary, const read_options& options) {
  auto file = image_file::open(binary);
  if (!file) return std::unexpected(file.error());
  return read_all(*file, binary.string(), options);
}

base::result<coroutine_report> read_coroutines(const std::string& name, std::span<const std::uint8_t> content,
                                               const read_options& options) {
  auto file = image_file::open(name, content);
  if (!file) return std::unexpected(file.error());
  return read_all(*file, name, options);
}

}  // namespace tare::inspect
