#include "inspect/coroutine/awaits.hpp"

#include "inspect/coroutine/await_places.hpp"
#include "inspect/coroutine/code_line.hpp"
#include "inspect/coroutine/frame_access.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <llvm/DebugInfo/DWARF/DWARFUnit.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

constexpr std::uint64_t max_awaits = 4096;

class await_finder {
 public:
  await_finder(const unit_context& unit, const frame_source& source, const coroutine& coroutine,
               const compiler_record* recorded)
      : unit_(unit), source_(source), of_(coroutine), gcc_(source.made_by == producer::gcc) {
    if (recorded == nullptr) return;
    is_recorded_ = true;
    for (const auto& each : recorded->awaits) {
      (void)at(each.index);
      if (each.final) recorded_final_ = each.index;
      if (each.where.line == 0) continue;
      const std::string& file = each.where.file.empty() ? coroutine.declared.file : each.where.file;
      labels_[each.index] = {.file = file, .line = each.where.line};
    }
  }

  std::vector<found_await> find() {
    for (const auto& function : source_.functions) {
      if (!function.frame_known || function.flow == nullptr) continue;
      // The destroy function never suspends, but g++ stores an index there too.
      if (function.role == function_role::destroy || function.role == function_role::cleanup) continue;
      find_stores(function);
      find_labels(function);
    }
    if (!of_.index_offset && awaits_.empty()) single();
    find_final();
    if (recorded_final_) at(*recorded_final_).point.kind = suspension::final;
    add_missing();
    mark_initial();
    awaits_ = with_places(std::move(awaits_), unit_, source_, of_, labels_);
    std::vector<found_await> all;
    all.reserve(awaits_.size());
    for (auto& [index, current] : awaits_) all.push_back(std::move(current));
    return all;
  }

 private:
  found_await& at(std::uint64_t index) {
    auto& current = awaits_[index];
    current.point.index = index;
    return current;
  }

  bool is_index(const frame_function& function, const memory_access& access) const {
    return of_.index_offset && access.what == memory_access::kind::write && access.base == function.frame.base &&
           access.offset - function.frame.offset == static_cast<std::int64_t>(*of_.index_offset);
  }

  void find_stores(const frame_function& function) {
    for_each_frame_access(function, [&](std::size_t, const memory_access& access, std::int64_t) {
      if (!is_index(function, access)) return;
      for (const auto& number : access.written) add_store(function, access, number);
    });
  }

  void add_store(const frame_function& function, const memory_access& access, const constant& number) {
    if (number.value >= max_awaits) return;
    // g++: 0 is "not started", odd numbers are "being destroyed".
    if (gcc_ && (number.value == 0 || (number.value & 1U) != 0)) return;
    const std::uint64_t place = function.flow->contains(number.address) ? number.address : access.instruction;
    auto& sites = at(number.value).sites;
    if (std::ranges::find(sites, place, &suspend_site::address) != sites.end()) return;
    sites.push_back(
        {.function = &function, .address = place, .store = access.instruction, .alone = access.written.size() == 1});
  }

  /// clang: the label "__coro_resume_3" is where the third await continues, and has the line of the await.
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
      if (number >= max_awaits) return;
      const source_line where = declaration(die);
      if (where.line != 0) labels_.try_emplace(number, where);
      (void)at(number);
    } else if (die.getTag() == dwarf::DW_TAG_lexical_block) {
      for (const auto& child : die.children()) find_label(child, depth + 1);
    }
  }

  static std::uint64_t parse(std::string_view digits) {
    std::uint64_t number = 0;
    if (digits.empty() || digits.size() > 5) return max_awaits;
    for (const char c : digits) {
      if (c < '0' || c > '9') return max_awaits;
      number = number * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return number;
  }

  /// Numbers have no gaps, and the dispatch at the beginning has a target for each. The store of a number may not have
  /// been found: in a ramp that was inlined, or in code that could not be followed.
  void add_missing() {
    if (!of_.index_offset || awaits_.empty()) return;
    const std::uint64_t last = awaits_.rbegin()->first;
    for (std::uint64_t index = gcc_ ? 2 : 0; index < last; index += gcc_ ? 2 : 1) {
      if (!awaits_.contains(index) && leads_somewhere(*of_.index_offset, index)) (void)at(index);
    }
  }

  [[nodiscard]] bool leads_somewhere(std::uint64_t index_offset, std::uint64_t index) const {
    const function_flow::known_word word{static_cast<std::int64_t>(index_offset), of_.index_bytes, index};
    return std::ranges::any_of(source_.functions, [&](const frame_function& function) {
      if (function.role != function_role::resume || function.flow == nullptr || function.flow->empty()) return false;
      const auto entry = function.flow->enter({&word, 1});
      return !entry.path.empty() && !ends_in_trap(*function.flow, entry.address);
    });
  }

  /// Whether only jumps lie between the address and an instruction that ends the program.
  static bool ends_in_trap(const function_flow& flow, std::uint64_t address) {
    constexpr int max_jumps = 4;
    for (int jumps = 0; jumps <= max_jumps; ++jumps) {
      const auto found = flow.index_of(address);
      if (!found) return true;
      const instruction& instruction = flow.instructions()[*found];
      const bool follows = instruction.what == operation::jump && instruction.operand_count > 0 &&
                           instruction.operands[0].what == operand::kind::immediate;
      if (!follows) return instruction.what == operation::trap;
      address = instruction.next() + static_cast<std::uint64_t>(instruction.operands[0].value);
    }
    return false;
  }

  /// Whether the suspension may be the final one, so that a null pointer stored before it can belong to it.
  [[nodiscard]] bool may_be_final(std::uint64_t index) const {
    if (is_recorded_) return recorded_final_ == index;
    // Both compilers give it the last number.
    if (index != awaits_.rbegin()->first) return false;
    // g++ also sets the pointer to null before it calls unhandled_exception().
    return !gcc_ || !of_.index_offset || !leads_somewhere(*of_.index_offset, index + 2);
  }

  /// A frame without an index has one suspension point.
  void single() { (void)at(0); }

  /// Before the final suspension the resume pointer is set to null.
  void find_final() {
    for (const auto& function : source_.functions) {
      if (!function.frame_known || function.flow == nullptr || function.role == function_role::destroy ||
          function.role == function_role::cleanup) {
        continue;
      }
      for_each_frame_access(function, [&](std::size_t i, const memory_access& access, std::int64_t offset) {
        if (access.what == memory_access::kind::write && offset == 0 && access.bytes == 8 &&
            access.written.size() == 1 && access.written.front().value == 0) {
          mark_final(function, i);
        }
      });
    }
  }

  void mark_final(const frame_function& function, std::size_t from) {
    const auto& flow = *function.flow;
    const auto instructions = flow.instructions();
    const auto index_at = [&](std::size_t i) -> std::optional<std::uint64_t> {
      for (const auto& access : flow.accesses(i)) {
        if (!is_index(function, access)) continue;
        for (const auto& number : access.written) {
          // The number may have been chosen before the paths joined: then the one chosen here counts.
          if (access.written.size() == 1 || number.address == access.instruction) return number.value;
        }
      }
      return std::nullopt;
    };
    const auto block_number = flow.block_of(instructions[from].address);
    if (!block_number) return;
    const auto is_chosen_in = [&](const basic_block& block) -> std::optional<std::uint64_t> {
      for (auto& [index, each] : awaits_) {
        for (const auto& site : each.sites) {
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
        if (may_be_final(*index)) awaits_[*index].point.kind = suspension::final;
        return;
      }
      for (const std::size_t next : block.successors) {
        if (seen.insert(next).second) waiting.push_back(next);
      }
    }
    // clang may store no number, only the null pointer. The number is then the one after all others.
    if (gcc_ || (is_recorded_ && !recorded_final_)) return;
    const std::uint64_t number = recorded_final_ ? *recorded_final_ : awaits_.empty() ? 0 : awaits_.rbegin()->first + 1;
    if (std::ranges::any_of(awaits_, [](const auto& each) { return each.second.point.kind == suspension::final; }))
      return;
    auto& each = at(number);
    each.point.kind = suspension::final;
    each.sites.push_back(
        {.function = &function, .address = instructions[from].address, .store = instructions[from].address});
  }

  /// The first suspension is the initial one if it is on the line of the coroutine's name, and not in the body.
  void mark_initial() {
    if (awaits_.empty()) return;
    auto& [index, first] = *awaits_.begin();
    if (first.point.kind != suspension::await || index != (gcc_ ? 2U : 0U)) return;
    if (gcc_) {
      if (has_initial_awaiter()) first.point.kind = suspension::initial;
      return;
    }
    if (const auto label = labels_.find(index); label != labels_.end()) {
      if (label->second.line == of_.declared.line && same_column_as_name(first)) {
        first.point.kind = suspension::initial;
      }
      return;
    }
    if (first.sites.empty()) {
      // The ramp was inlined: the store of the number is in its caller.
      first.point.kind = suspension::initial;
      return;
    }
    for (const auto& site : first.sites) {
      if (line_of(unit_, *site.function, site.address).line != of_.declared.line) return;
    }
    if (same_column_as_name(first)) first.point.kind = suspension::initial;
  }

  /// The initial and the final suspension are at the column of the coroutine's name, awaits further to the right.
  bool same_column_as_name(const found_await& await) const {
    for (const auto& function : source_.functions) {
      if (function.role != function_role::ramp && function.role != function_role::resume) continue;
      for (const auto& site : await.sites) {
        const auto* row = unit_.lines.at(site.address);
        if (row != nullptr && row->column != 0 && row->line == of_.declared.line) {
          std::uint16_t least = row->column;
          for (const auto& range : function.ranges) {
            for (const auto& other : unit_.lines.between(range.begin, range.end)) {
              if (other.line == of_.declared.line && other.column != 0) least = std::min(least, other.column);
            }
          }
          return row->column == least;
        }
      }
    }
    return true;
  }

  /// g++ gives the awaiter of the initial suspension a name of its own.
  bool has_initial_awaiter() const {
    return std::ranges::any_of(of_.fields, [](const frame_field& field) {
      return field.kind == field_kind::awaiter && field.name == "initial awaiter";
    });
  }

  const unit_context& unit_;
  const frame_source& source_;
  const coroutine& of_;
  bool gcc_;
  awaits_by_index awaits_;
  labels_by_index labels_;
  bool is_recorded_ = false;                     ///< the compiler recorded the suspension points
  std::optional<std::uint64_t> recorded_final_;  ///< the number of the final one, if recorded
};

}  // namespace

std::vector<found_await> find_awaits(const unit_context& unit, const frame_source& source, const coroutine& coroutine,
                                     const compiler_record* recorded) {
  return await_finder(unit, source, coroutine, recorded).find();
}

}  // namespace tare::inspect
