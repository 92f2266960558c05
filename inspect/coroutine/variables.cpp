#include "inspect/coroutine/variables.hpp"

#include "inspect/coroutine/readable_name.hpp"
#include "inspect/coroutine/scopes.hpp"
#include "inspect/dwarf/location.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <llvm/DebugInfo/DWARF/DWARFUnit.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

constexpr std::size_t max_variables = 20'000;

/// "Aw0", "Is", "Fs", "T001": g++'s names of awaiters.
bool is_gcc_awaiter(std::string_view name) {
  if (name == "Is" || name == "Fs") return true;
  const std::string_view number = name.starts_with("Aw") ? name.substr(2) : name.starts_with("T") ? name.substr(1) : "";
  return !number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos;
}

class variable_finder {
 public:
  variable_finder(const frame_source& source, std::uint64_t frame_bytes)
      : gcc_(source.made_by == producer::gcc), frame_bytes_(frame_bytes) {}

  void look_through(const frame_function& function) {
    if (!function.frame_known || function.flow == nullptr || function.flow->empty()) return;
    function_ = &function;
    // g++ inlines the actor into the function that is called through the frame.
    const auto is_body = [this](const llvm::DWARFDie& call) {
      return gcc_ && is_actor(call.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin));
    };
    const auto visit = [this](const llvm::DWARFDie& variable, const std::vector<code_range>& scope, bool inlined) {
      add(variable, scope, inlined);
    };
    for_each_variable(function.die, function.ranges, visit, is_body);
  }

  std::vector<scoped_variable> take() {
    std::vector<scoped_variable> all;
    all.reserve(found_.size());
    for (auto& [key, each] : found_) {
      for (const auto& range : each.scope) each.scope_bytes += range.end - range.begin;
      all.push_back(std::move(each));
    }
    return all;
  }

 private:
  static bool is_actor(const llvm::DWARFDie& function) {
    if (!function.isValid()) return false;
    const auto first = function.getFirstChild();
    return first.isValid() && first.getTag() == dwarf::DW_TAG_formal_parameter && short_name(first) == "frame_ptr";
  }

  void add(const llvm::DWARFDie& variable, const std::vector<code_range>& scope, bool inlined) {
    if (found_.size() > max_variables) return;
    const std::string_view name = short_name(variable);
    if (name.starts_with("__coro_") || name == "__promise" || name.starts_with("_Coro_") || name == "frame_ptr") return;
    auto locations = variable.getLocations(dwarf::DW_AT_location);
    if (!locations) {
      llvm::consumeError(locations.takeError());
      return;
    }
    const auto type = type_of(variable);
    const std::uint64_t whole = type_bytes(type);
    const bool artificial = dwarf::toUnsigned(variable.find(dwarf::DW_AT_artificial), 0) != 0;
    // g++ also marks the copies of parameters like this; they have the parameters' names.
    const bool temporary = name.empty() || (name == "this" && inlined) || name.starts_with("D.") ||
                           is_gcc_awaiter(name) || (artificial && !gcc_ && name != "this");
    for (const auto& location : *locations) {
      std::uint64_t where = 0;
      if (location.Range) {
        if (location.Range->LowPC >= location.Range->HighPC) continue;
        where = location.Range->LowPC;
      } else if (!scope.empty()) {
        where = scope.front().begin;
      }
      // A location without a range applies to the whole scope, but registers are set up only after its beginning.
      const machine_state* state = state_for(location.Range.has_value(), where, scope);
      if (state == nullptr) continue;
      const auto base = frame_base_of(function_->die, *state);
      for (const auto& piece : locate(location.Expr, *state, base, 8)) {
        if (piece.address.is_constant() || piece.address.base != function_->frame.base) continue;
        const std::int64_t offset = piece.address.offset - function_->frame.offset;
        const std::uint64_t bytes = piece.bytes == 0 ? whole : piece.bytes;
        if (std::cmp_less(offset, frame_head_bytes) || bytes == 0 ||
            static_cast<std::uint64_t>(offset) + bytes > frame_bytes_)
          continue;
        keep(variable, name, type, static_cast<std::uint64_t>(offset), bytes, scope, inlined, temporary);
      }
    }
  }

  const machine_state* state_for(bool exact, std::uint64_t where, const std::vector<code_range>& scope) const {
    const machine_state* state = function_->flow->state_at(where);
    if (exact) return state;
    // Take the last instruction of the scope's first range: the prologue is over by then.
    for (const auto& range : scope) {
      if (const auto* later = function_->flow->state_at(range.end - 1)) return later;
    }
    return state;
  }

  void keep(const llvm::DWARFDie& variable, std::string_view name, const llvm::DWARFDie& type, std::uint64_t offset,
            std::uint64_t bytes, const std::vector<code_range>& scope, bool inlined, bool temporary) {
    const source_line declared = declaration(variable);
    auto& current = found_[{std::string(name), offset, declared.line, declared.file}];
    if (current.field.bytes == 0) {
      current.field.name = name;
      current.field.type = without_noise(type_text(type));
      current.field.type_entry = entry_of(type);
      current.field.declared = declared;
      current.field.offset = offset;
      current.inlined = inlined;
      current.field.kind = temporary                                             ? field_kind::awaiter
                           : variable.getTag() == dwarf::DW_TAG_formal_parameter ? field_kind::parameter
                                                                                 : field_kind::local;
      if (temporary) current.field.name = "(" + current.field.type + ")";
    }
    current.field.bytes = std::max(current.field.bytes, bytes);
    for (const auto& range : scope) {
      if (std::ranges::find(current.scope, range) == current.scope.end()) current.scope.push_back(range);
    }
  }

  bool gcc_;
  std::uint64_t frame_bytes_;
  const frame_function* function_ = nullptr;
  std::map<std::tuple<std::string, std::uint64_t, std::uint32_t, std::string>, scoped_variable> found_;
};

}  // namespace

bool scoped_variable::in_scope_at(std::uint64_t address) const {
  return std::ranges::any_of(scope, [&](const auto& each) { return address >= each.begin && address < each.end; });
}

std::vector<scoped_variable> find_variables(const frame_source& source, std::uint64_t frame_bytes) {
  variable_finder finder(source, frame_bytes);
  for (const auto& function : source.functions) finder.look_through(function);
  return finder.take();
}

}  // namespace tare::inspect
