#include "inspect/coroutine/awaits.hpp"

#include "inspect/coroutine/source_awaits.hpp"
#include "inspect/dwarf/address_ranges.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <llvm/DebugInfo/DWARF/DWARFUnit.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

constexpr std::uint64_t most_awaits = 4096;

/// The call that was inlined at this address directly into the function, if any.
struct inlined_call {
  llvm::DWARFDie die;
  std::uint32_t file = 0;
  std::uint32_t line = 0;
};

bool covers(const llvm::DWARFDie& die, std::uint64_t address) {
  return std::ranges::any_of(address_ranges(die),
                             [&](const auto& one) { return address >= one.LowPC && address < one.HighPC; });
}

bool is_gcc_actor(const llvm::DWARFDie& function) {
  if (!function.isValid()) return false;
  const auto first = function.getFirstChild();
  return first.isValid() && short_name(first) == "frame_ptr";
}

inlined_call call_at(const llvm::DWARFDie& block, std::uint64_t address, int depth = 0) {
  constexpr int deepest = 256;
  if (depth > deepest) return {};
  for (const auto& child : block.children()) {
    const auto tag = child.getTag();
    if (tag == dwarf::DW_TAG_inlined_subroutine && covers(child, address)) {
      if (is_gcc_actor(child.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin))) {
        return call_at(child, address, depth + 1);
      }
      inlined_call call{.die = child};
      std::uint32_t column = 0;
      std::uint32_t discriminator = 0;
      child.getCallerFrame(call.file, call.line, column, discriminator);
      return call;
    }
    if (tag == dwarf::DW_TAG_lexical_block) {
      const auto inner = call_at(child, address, depth + 1);
      if (inner.die.isValid()) return inner;
    }
  }
  return {};
}

class await_finder {
 public:
  await_finder(unit_context& unit, const frame_source& source, const coroutine& of, const compiler_record* told)
      : unit_(unit), source_(source), of_(of), gcc_(source.made_by == producer::gcc) {
    if (told == nullptr) return;
    for (const auto& one : told->awaits) {
      (void)at(one.index);
      if (one.final) told_final_ = one.index;
      if (one.where.line == 0) continue;
      const std::string& file = one.where.file.empty() ? of.declared.file : one.where.file;
      labels_[one.index] = {.file = file, .line = one.where.line};
    }
  }

  std::vector<found_await> find() {
    for (const auto& function : source_.functions) {
      if (!function.frame_known || function.flow == nullptr) continue;
      // Destroying never suspends, but g++ marks the frame there too.
      if (function.role == function_role::destroy || function.role == function_role::cleanup) continue;
      find_stores(function);
      find_labels(function);
    }
    if (!of_.index_offset && awaits_.empty()) single();
    find_final();
    if (told_final_) at(*told_final_).point.kind = suspension::final;
    add_missing();
    mark_initial();
    for (auto& [index, one] : awaits_) set_line(one);
    take_order_of_source();
    fill_gaps();
    std::vector<found_await> all;
    all.reserve(awaits_.size());
    for (auto& [index, one] : awaits_) all.push_back(std::move(one));
    return all;
  }

 private:
  found_await& at(std::uint64_t index) {
    auto& one = awaits_[index];
    one.point.index = index;
    return one;
  }

  bool is_index(const frame_function& function, const memory_access& access) const {
    return of_.index_offset && access.what == memory_access::kind::write && access.base == function.frame.base &&
           access.offset - function.frame.offset == static_cast<std::int64_t>(*of_.index_offset);
  }

  void find_stores(const frame_function& function) {
    const auto instructions = function.flow->instructions();
    for (std::size_t i = 0; i < instructions.size(); ++i) {
      for (const auto& access : function.flow->accesses(i)) {
        if (!is_index(function, access)) continue;
        for (const auto& number : access.written) {
          if (number.value >= most_awaits) continue;
          // g++: 0 is "not started", odd numbers are "being destroyed".
          if (gcc_ && (number.value == 0 || (number.value & 1U) != 0)) continue;
          const std::uint64_t place = function.flow->contains(number.address) ? number.address : access.instruction;
          auto& sites = at(number.value).sites;
          if (std::ranges::find(sites, place, &suspend_site::address) == sites.end()) {
            sites.push_back({.function = &function,
                             .address = place,
                             .store = access.instruction,
                             .alone = access.written.size() == 1});
          }
        }
      }
    }
  }

  /// clang: "__coro_resume_3" stands where the third await goes on, with the await's own line.
  void find_labels(const frame_function& function) {
    for (const auto& child : function.die.children()) find_label(child, 0);
  }

  void find_label(const llvm::DWARFDie& die, int depth) {
    constexpr int deepest = 64;
    if (depth > deepest) return;
    if (die.getTag() == dwarf::DW_TAG_label) {
      constexpr std::string_view stem = "__coro_resume_";
      const std::string_view name = short_name(die);
      if (!name.starts_with(stem)) return;
      const auto index = dwarf::toUnsigned(die.find(dwarf::DW_AT_LLVM_coro_suspend_idx));
      const std::uint64_t number = index ? *index : parse(name.substr(stem.size()));
      if (number >= most_awaits) return;
      const source_line where = declaration(die);
      if (where.line != 0) labels_.try_emplace(number, where);
      (void)at(number);
    } else if (die.getTag() == dwarf::DW_TAG_lexical_block) {
      for (const auto& child : die.children()) find_label(child, depth + 1);
    }
  }

  static std::uint64_t parse(std::string_view digits) {
    std::uint64_t number = 0;
    if (digits.empty() || digits.size() > 5) return most_awaits;
    for (const char c : digits) {
      if (c < '0' || c > '9') return most_awaits;
      number = number * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return number;
  }

  /// Numbers are given without gaps, and the code that looks at them first leads somewhere for each. Where a number is
  /// stored may be unknown: in a ramp that was inlined, or in code that could not be followed.
  void add_missing() {
    if (!of_.index_offset || awaits_.empty()) return;
    const std::uint64_t last = awaits_.rbegin()->first;
    for (std::uint64_t index = gcc_ ? 2 : 0; index < last; index += gcc_ ? 2 : 1) {
      if (!awaits_.contains(index) && leads_somewhere(*of_.index_offset, index)) (void)at(index);
    }
  }

  [[nodiscard]] bool leads_somewhere(std::uint64_t index_offset, std::uint64_t index) const {
    const function_flow::known_word word{static_cast<std::int64_t>(index_offset), of_.index_bytes, index};
    return std::ranges::any_of(source_.functions, [&](const frame_function& one) {
      if (one.role != function_role::resume || one.flow == nullptr || one.flow->empty()) return false;
      const auto entry = one.flow->enter({&word, 1});
      const auto first = one.flow->index_of(entry.address);
      return first && !entry.path.empty() && one.flow->instructions()[*first].what != operation::trap;
    });
  }

  /// A frame without an index has one place to wait at.
  void single() { (void)at(0); }

  /// Before the last suspension the resume pointer is set to null.
  void find_final() {
    for (const auto& function : source_.functions) {
      if (!function.frame_known || function.flow == nullptr || function.role == function_role::destroy ||
          function.role == function_role::cleanup) {
        continue;
      }
      const auto instructions = function.flow->instructions();
      for (std::size_t i = 0; i < instructions.size(); ++i) {
        for (const auto& access : function.flow->accesses(i)) {
          if (access.what != memory_access::kind::write || access.base != function.frame.base ||
              access.offset != function.frame.offset || access.bytes != 8 || access.written.size() != 1 ||
              access.written.front().value != 0) {
            continue;
          }
          mark_final(function, i);
        }
      }
    }
  }

  void mark_final(const frame_function& function, std::size_t from) {
    const auto& flow = *function.flow;
    const auto instructions = flow.instructions();
    const auto index_at = [&](std::size_t i) -> std::optional<std::uint64_t> {
      for (const auto& access : flow.accesses(i)) {
        if (!is_index(function, access)) continue;
        for (const auto& number : access.written) {
          // The number may have been chosen before the ways met: then the one chosen here counts.
          if (access.written.size() == 1 || number.address == access.instruction) return number.value;
        }
      }
      return std::nullopt;
    };
    const auto block_number = flow.block_of(instructions[from].address);
    if (!block_number) return;
    const auto is_chosen_in = [&](const basic_block& block) -> std::optional<std::uint64_t> {
      for (auto& [index, one] : awaits_) {
        for (const auto& site : one.sites) {
          const auto place = flow.index_of(site.address);
          if (site.function == &function && place && *place >= block.first && *place < block.last) return index;
        }
      }
      return std::nullopt;
    };
    std::set<std::size_t> seen{*block_number};
    std::deque<std::size_t> waiting{*block_number};
    while (!waiting.empty() && seen.size() < 256) {
      const auto& block = flow.blocks()[waiting.front()];
      waiting.pop_front();
      std::optional<std::uint64_t> index = is_chosen_in(block);
      for (std::size_t i = std::max(block.first, from); i < block.last && !index; ++i) index = index_at(i);
      if (index && awaits_.contains(*index)) {
        awaits_[*index].point.kind = suspension::final;
        return;
      }
      for (const std::size_t next : block.successors) {
        if (seen.insert(next).second) waiting.push_back(next);
      }
    }
    // No number is stored: the null pointer alone says it. It is the number after all others.
    const std::uint64_t number = told_final_       ? *told_final_
                                 : awaits_.empty() ? 0
                                                   : awaits_.rbegin()->first + (gcc_ ? 2 : 1);
    if (std::ranges::any_of(awaits_, [](const auto& one) { return one.second.point.kind == suspension::final; }))
      return;
    auto& one = at(number);
    one.point.kind = suspension::final;
    one.sites.push_back(
        {.function = &function, .address = instructions[from].address, .store = instructions[from].address});
  }

  /// The first suspension is the one before the body if it is on the line of the name, and not in the body.
  void mark_initial() {
    if (awaits_.empty()) return;
    auto& [index, first] = *awaits_.begin();
    if (first.point.kind != suspension::await || index != (gcc_ ? 2U : 0U)) return;
    if (gcc_) {
      if (starts_in_initial_suspend(first)) first.point.kind = suspension::initial;
      return;
    }
    if (const auto label = labels_.find(index); label != labels_.end()) {
      if (label->second.line == of_.declared.line && same_column_as_name(first, index)) {
        first.point.kind = suspension::initial;
      }
      return;
    }
    if (first.sites.empty()) {
      // The ramp was inlined: its caller would have stored the number.
      first.point.kind = suspension::initial;
      return;
    }
    for (const auto& site : first.sites) {
      if (line_of(unit_, *site.function, site.address).line != of_.declared.line) return;
    }
    if (same_column_as_name(first, index)) first.point.kind = suspension::initial;
  }

  /// The two suspensions around the body are at the column of the coroutine's name, awaits further to the right.
  bool same_column_as_name(const found_await& one, std::uint64_t index) const {
    (void)index;
    for (const auto& function : source_.functions) {
      if (function.role != function_role::ramp && function.role != function_role::resume) continue;
      for (const auto& site : one.sites) {
        const auto* row = unit_.lines.at(site.address);
        if (row != nullptr && row->column != 0 && row->line == of_.declared.line) {
          std::uint16_t least = row->column;
          for (const auto& range : function.ranges) {
            for (const auto& other : rows_in(range)) {
              if (other.line == of_.declared.line && other.column != 0) least = std::min(least, other.column);
            }
          }
          return row->column == least;
        }
      }
    }
    return true;
  }

  [[nodiscard]] std::span<const line_row> rows_in(const code_range& range) const {
    const auto& rows = unit_.lines.rows();
    const auto first = std::ranges::lower_bound(rows, range.begin, {}, &line_row::address);
    const auto last = std::ranges::lower_bound(rows, range.end, {}, &line_row::address);
    return {first, last};
  }

  /// g++ waits before the body with an object of its own name.
  bool starts_in_initial_suspend(const found_await&) const {
    return std::ranges::any_of(of_.fields, [](const frame_field& field) {
      return field.kind == field_kind::awaiter && field.name == "initial awaiter";
    });
  }

  void set_line(found_await& one) {
    if (one.point.kind != suspension::await) {
      one.point.where = of_.declared;
      return;
    }
    if (const auto label = labels_.find(one.point.index); label != labels_.end()) {
      one.point.where = label->second;
      return;
    }
    one.point.where = gcc_ ? gcc_line(one) : clang_line(one);
  }

  /// A line inside the body: not the one of the coroutine's name, which much of the code around it has.
  [[nodiscard]] bool is_in_body(const source_line& where) const {
    return where.line != 0 && where.line > of_.declared.line && where.file == of_.declared.file;
  }

  source_line clang_line(const found_await& one) const {
    source_line outside;
    for (const auto& site : one.sites) {
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
    source_line resumed = one.sites.empty() ? resumed_line(one.point.index) : source_line{};
    if (is_in_body(resumed)) return resumed;
    return outside.file != of_.declared.file ? outside : source_line{};
  }

  /// What the code that the number leads to belongs to.
  source_line resumed_line(std::uint64_t index) const {
    for (const auto& function : source_.functions) {
      if (function.role != function_role::resume || function.flow == nullptr || !of_.index_offset) continue;
      const function_flow::known_word word{static_cast<std::int64_t>(*of_.index_offset), of_.index_bytes, index};
      const auto entry = function.flow->enter({&word, 1});
      return line_of(unit_, function, entry.address);
    }
    return {};
  }

  /// g++ gives much of the code around an await the line of the function's end or beginning. The nearest line of the
  /// body is it: before the store, or where the coroutine goes on.
  source_line gcc_line(const found_await& one) const {
    const std::uint32_t end_line = declaration(source_.type).line;
    const auto is_body = [&](const source_line& where) {
      return where.line != 0 && where.line != end_line && where.line != of_.declared.line &&
             where.file == of_.declared.file;
    };
    // Going on, it asks the awaiter for the result: a call that is inlined on the await's line.
    for (const auto& function : source_.functions) {
      if (function.role != function_role::resume || function.flow == nullptr || !of_.index_offset) continue;
      const function_flow::known_word word{static_cast<std::int64_t>(*of_.index_offset), of_.index_bytes,
                                           one.point.index};
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
    for (const auto& site : one.sites) {
      const source_line where = line_of(unit_, *site.function, site.address);
      if (is_body(where)) return where;
    }
    for (const auto& site : one.sites) {
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

  /// Gives lines to the awaits that have none yet, as far as the others leave only one way to do so.
  void fill_gaps() {
    std::vector<await_point*> body;
    for (auto& [index, one] : awaits_) {
      if (one.point.kind == suspension::await) body.push_back(&one.point);
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
      // Nothing but the coroutine's own line is known.
      for (std::size_t i = first; i < last; ++i) {
        if (unknown(body[i])) body[i]->where = of_.declared;
      }
      first = last;
    }
  }

  /// Where the functions of awaiters were inlined.
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
        for (const auto& row : rows_in(range)) {
          if (row.line > of_.declared.line && unit_.lines.file(row.file) == of_.declared.file) lines.insert(row.line);
        }
      }
    }
    return lines;
  }

  /// The lines of the source with an await, if the source is there and older than the binary.
  [[nodiscard]] const std::vector<std::uint32_t>& lines_of_source() {
    if (!source_lines_) {
      const std::string& binary = unit_.file.name();
      source_lines_ = await_lines_of_file(of_.declared.file, binary.substr(0, binary.find('(')), of_.declared.line,
                                          of_.name.contains("{lambda}"));
    }
    return *source_lines_;
  }

  /// Numbers are given in the order of the source. So where the source is at hand and has as many awaits as numbers
  /// were given, it tells the line of each, also of those whose code was merged. Where it has not, it tells at least
  /// which lines are none.
  void take_order_of_source() {
    std::vector<found_await*> body;
    std::optional<std::uint64_t> final_index;
    for (auto& [index, one] : awaits_) {
      if (one.point.kind == suspension::await) body.push_back(&one);
      if (one.point.kind == suspension::final) final_index = index;
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
    const auto expected = [&](const found_await& one) { return lines[(one.point.index - first) / step]; };
    const auto is_await = [&](const source_line& where) {
      return where.file == of_.declared.file && std::ranges::find(lines, where.line) != lines.end();
    };
    // What the binary says for certain must agree, or the order is not what it seems.
    const bool agrees =
        all && std::ranges::all_of(body, [&](const found_await* one) {
          return one->point.index >= first && (one->point.index - first) / step < lines.size() &&
                 (!is_certain(*one) || !is_await(one->point.where) || one->point.where.line == expected(*one));
        });
    for (auto* one : body) {
      if (agrees) {
        one->point.where = {.file = of_.declared.file, .line = expected(*one)};
      } else if (!is_certain(*one) && one->point.where.file == of_.declared.file && !is_await(one->point.where)) {
        one->point.where = {};
      }
    }
  }

  /// A label, or an instruction that does nothing but store this await's number.
  [[nodiscard]] bool is_certain(const found_await& one) const {
    if (labels_.contains(one.point.index)) return true;
    return !gcc_ && !one.sites.empty() && std::ranges::all_of(one.sites, &suspend_site::alone);
  }

  unit_context& unit_;
  const frame_source& source_;
  const coroutine& of_;
  bool gcc_;
  std::map<std::uint64_t, found_await> awaits_;
  std::map<std::uint64_t, source_line> labels_;  ///< where the compiler said itself that the awaits are
  std::optional<std::uint64_t> told_final_;      ///< the number of the last suspension
  std::optional<std::vector<std::uint32_t>> source_lines_;
};

}  // namespace

source_line line_of(const unit_context& unit, const frame_function& function, std::uint64_t address) {
  if (const auto call = call_at(function.die, address); call.die.isValid() && call.line != 0) {
    return {.file = unit.lines.file(call.file), .line = call.line};
  }
  const line_row* row = unit.lines.at(address);
  if (row == nullptr || row->line == 0) return {};
  return {.file = unit.lines.file(row->file), .line = row->line};
}

std::vector<found_await> find_awaits(unit_context& unit, const frame_source& source, const coroutine& of,
                                     const compiler_record* told) {
  return await_finder(unit, source, of, told).find();
}

}  // namespace tare::inspect
