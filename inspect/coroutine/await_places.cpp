#include "inspect/coroutine/await_places.hpp"

#include "inspect/coroutine/code_line.hpp"
#include "inspect/coroutine/readable_name.hpp"
#include "inspect/coroutine/source_awaits.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

class await_placer {
 public:
  await_placer(const unit_context& unit, const frame_source& source, const coroutine& coroutine,
               const labels_by_index& labels, awaits_by_index awaits)
      : unit_(unit),
        source_(source),
        of_(coroutine),
        labels_(labels),
        awaits_(std::move(awaits)),
        gcc_(source.made_by == producer::gcc) {}

  awaits_by_index place() {
    for (auto& [index, each] : awaits_) set_line(each);
    take_order_of_source();
    fill_gaps();
    return std::move(awaits_);
  }

 private:
  void set_line(found_await& each) {
    if (each.point.kind != suspension::await) {
      each.point.where = of_.declared;
      return;
    }
    if (const auto label = labels_.find(each.point.index); label != labels_.end()) {
      each.point.where = label->second;
      return;
    }
    each.point.where = gcc_ ? gcc_line(each) : clang_line(each);
  }

  /// Whether it is a line inside the body, not that of the coroutine's name, which much of the code around it has.
  [[nodiscard]] bool is_in_body(const source_line& where) const {
    return where.line != 0 && where.line > of_.declared.line && where.file == of_.declared.file;
  }

  source_line clang_line(const found_await& await) const {
    source_line outside;
    for (const auto& site : await.sites) {
      const auto& flow = *site.function->flow;
      std::vector<std::uint64_t> places;
      if (site.alone) places.push_back(site.store);
      // The jump to code that is shared with other awaits still has the line of this one.
      const auto block = flow.block_of(site.address);
      const auto first = flow.index_of(site.address);
      if (block && first) {
        for (std::size_t i = flow.blocks()[*block].last; i-- > *first;) {
          places.push_back(flow.instructions()[i].address);
        }
      }
      places.push_back(site.address);
      for (const auto place : places) {
        const source_line where = line_of(unit_, *site.function, place);
        if (is_in_body(where)) return where;
        if (where.line != 0 && outside.line == 0) outside = where;
      }
    }
    source_line resumed = await.sites.empty() ? resumed_line(await.point.index) : source_line{};
    if (is_in_body(resumed)) return resumed;
    return outside.file != of_.declared.file ? outside : source_line{};
  }

  /// The line of the code at which the coroutine continues for this number.
  source_line resumed_line(std::uint64_t index) const {
    for (const auto& function : source_.functions) {
      if (function.role != function_role::resume || function.flow == nullptr || !of_.index_offset) continue;
      const function_flow::known_word word{static_cast<std::int64_t>(*of_.index_offset), of_.index_bytes, index};
      const auto entry = function.flow->enter({&word, 1});
      return line_of(unit_, function, entry.address);
    }
    return {};
  }

  /// g++ gives much of the code around an await the line of the function's end or beginning. So the line is the nearest
  /// one of the body: before the store, or where the coroutine continues.
  source_line gcc_line(const found_await& await) const {
    const std::uint32_t end_line = declaration(source_.type).line;
    const auto is_body = [&](const source_line& where) {
      return where.line != 0 && where.line != end_line && where.line != of_.declared.line &&
             where.file == of_.declared.file;
    };
    // When it continues, it calls await_resume(), which is inlined on the line of the await.
    for (const auto& function : source_.functions) {
      if (function.role != function_role::resume || function.flow == nullptr || !of_.index_offset) continue;
      const function_flow::known_word word{static_cast<std::int64_t>(*of_.index_offset), of_.index_bytes,
                                           await.point.index};
      const auto entry = function.flow->enter({&word, 1});
      constexpr std::size_t nearby = 24;
      const auto instructions = function.flow->instructions();
      const std::size_t first = function.flow->index_of(entry.address).value_or(instructions.size());
      for (std::size_t i = first; i < instructions.size() && i < first + nearby; ++i) {
        const auto call = call_at(function.die, instructions[i].address);
        if (call.die.isValid() && short_name(call.die) == "await_resume" && call.line != 0) {
          source_line where{.file = unit_.lines.file(call.file), .line = call.line};
          if (is_body(where)) return where;
        }
        const source_line where = line_of(unit_, function, instructions[i].address);
        if (is_body(where)) return where;
        const auto what = instructions[i].what;
        if (what == operation::ret || what == operation::jump) break;
      }
    }
    for (const auto& site : await.sites) {
      const source_line where = line_of(unit_, *site.function, site.address);
      if (is_body(where)) return where;
    }
    for (const auto& site : await.sites) {
      const auto place = site.function->flow->index_of(site.address);
      if (!place) continue;
      const auto instructions = site.function->flow->instructions();
      for (std::size_t i = *place; i-- > 0;) {
        const source_line where = line_of(unit_, *site.function, instructions[i].address);
        if (is_body(where)) return where;
      }
    }
    return {};
  }

  /// Gives lines to awaits that have none, if the known lines allow only one assignment.
  void fill_gaps() {
    std::vector<await_point*> body;
    for (auto& [index, each] : awaits_) {
      if (each.point.kind == suspension::await) body.push_back(&each.point);
    }
    const auto unknown = [](const await_point* point) { return point->where.line == 0; };
    if (std::ranges::none_of(body, unknown)) return;
    const auto& in_source = lines_of_source();
    const std::array<std::set<std::uint32_t>, 3> sources{
        lines_of_calls(), std::set<std::uint32_t>(in_source.begin(), in_source.end()), lines_of_rows()};
    for (std::size_t first = 0; first < body.size();) {
      if (!unknown(body[first])) {
        ++first;
        continue;
      }
      std::size_t last = first;
      while (last < body.size() && unknown(body[last])) ++last;
      const std::uint32_t after = first == 0 ? of_.declared.line : body[first - 1]->where.line;
      const std::uint32_t before = last == body.size() ? ~std::uint32_t{0} : body[last]->where.line;
      for (const auto& lines : sources) {
        const std::vector<std::uint32_t> between(lines.upper_bound(after), lines.lower_bound(before));
        if (after >= before || between.size() != last - first) continue;
        for (std::size_t i = first; i < last; ++i) {
          body[i]->where = {.file = of_.declared.file, .line = between[i - first]};
        }
        break;
      }
      // Only the coroutine's own line is known.
      for (std::size_t i = first; i < last; ++i) {
        if (unknown(body[i])) body[i]->where = of_.declared;
      }
      first = last;
    }
  }

  /// The lines at which functions of awaiters were inlined.
  [[nodiscard]] std::set<std::uint32_t> lines_of_calls() const {
    std::set<std::uint32_t> lines;
    for (const auto& function : source_.functions) add_calls(function.die, lines, 0);
    return lines;
  }

  void add_calls(const llvm::DWARFDie& block, std::set<std::uint32_t>& lines, int depth) const {
    constexpr int deepest = 64;
    if (depth > deepest) return;
    for (const auto& child : block.children()) {
      if (child.getTag() == dwarf::DW_TAG_lexical_block) add_calls(child, lines, depth + 1);
      if (child.getTag() != dwarf::DW_TAG_inlined_subroutine) continue;
      const std::string_view name = linkage_name(child);
      const bool waits = short_name(child).starts_with("await_") || short_name(child) == "yield_value" ||
                         name.contains("__await_suspend_wrapper__await") ||
                         name.contains("__await_suspend_wrapper__yield");
      if (is_gcc_actor(child.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin))) {
        add_calls(child, lines, depth + 1);
      }
      std::uint32_t file = 0;
      std::uint32_t line = 0;
      std::uint32_t column = 0;
      std::uint32_t discriminator = 0;
      child.getCallerFrame(file, line, column, discriminator);
      if (waits && line > of_.declared.line && unit_.lines.file(file) == of_.declared.file) lines.insert(line);
    }
  }

  /// The lines of the body in the line table.
  [[nodiscard]] std::set<std::uint32_t> lines_of_rows() const {
    std::set<std::uint32_t> lines;
    for (const auto& function : source_.functions) {
      for (const auto& range : function.ranges) {
        for (const auto& row : unit_.lines.between(range.begin, range.end)) {
          if (row.line > of_.declared.line && unit_.lines.file(row.file) == of_.declared.file) lines.insert(row.line);
        }
      }
    }
    return lines;
  }

  /// The lines with an await in the source, if it is available and older than the binary.
  [[nodiscard]] const std::vector<std::uint32_t>& lines_of_source() {
    if (!source_lines_) {
      const std::string& binary = unit_.file.name();
      source_lines_ = await_lines_of_file(of_.declared.file, binary.substr(0, binary.find('(')), of_.declared.line,
                                          declared_name(of_.linkage_name));
    }
    return *source_lines_;
  }

  /// Awaits are numbered in the order of the source. If the source is available and has as many awaits as there are
  /// numbers, it gives the line of each, even of those whose code was merged. Otherwise it at least shows which lines
  /// have no await.
  void take_order_of_source() {
    std::vector<found_await*> body;
    std::optional<std::uint64_t> final_index;
    for (auto& [index, each] : awaits_) {
      if (each.point.kind == suspension::await) body.push_back(&each);
      if (each.point.kind == suspension::final) final_index = index;
    }
    if (body.empty()) return;
    const auto& lines = lines_of_source();
    if (lines.empty()) return;
    const std::uint64_t step = gcc_ ? 2 : 1;
    const bool starts_at_once = awaits_.begin()->second.point.kind != suspension::initial;
    const std::uint64_t first = gcc_ ? (starts_at_once ? body.front()->point.index : 4) : starts_at_once ? 0 : 1;
    const std::uint64_t count = final_index && *final_index > first ? (*final_index - first) / step
                                                                    : (body.back()->point.index - first) / step + 1;
    const bool all = count == lines.size();
    const auto expected = [&](const found_await& each) { return lines[(each.point.index - first) / step]; };
    const auto is_await = [&](const source_line& where) {
      return where.file == of_.declared.file && std::ranges::find(lines, where.line) != lines.end();
    };
    // The lines that are certain must agree, otherwise the order cannot be used.
    const bool agrees =
        all && std::ranges::all_of(body, [&](const found_await* each) {
          return each->point.index >= first && (each->point.index - first) / step < lines.size() &&
                 (!is_certain(*each) || !is_await(each->point.where) || each->point.where.line == expected(*each));
        });
    for (auto* each : body) {
      if (agrees) {
        each->point.where = {.file = of_.declared.file, .line = expected(*each)};
      } else if (!is_certain(*each) && each->point.where.file == of_.declared.file && !is_await(each->point.where)) {
        each->point.where = {};
      }
    }
  }

  /// Whether the line comes from a label, or from an instruction that only stores this await's number.
  [[nodiscard]] bool is_certain(const found_await& await) const {
    if (labels_.contains(await.point.index)) return true;
    return !gcc_ && !await.sites.empty() && std::ranges::all_of(await.sites, &suspend_site::alone);
  }

  const unit_context& unit_;
  const frame_source& source_;
  const coroutine& of_;
  const labels_by_index& labels_;
  awaits_by_index awaits_;
  bool gcc_;
  std::optional<std::vector<std::uint32_t>> source_lines_;
};

}  // namespace

awaits_by_index with_places(awaits_by_index awaits, const unit_context& unit, const frame_source& source,
                            const coroutine& coroutine, const labels_by_index& labels) {
  return await_placer(unit, source, coroutine, labels, std::move(awaits)).place();
}

}  // namespace tare::inspect
