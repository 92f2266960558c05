#include "inspect/coroutine/frame_source.hpp"

#include "inspect/dwarf/address_ranges.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <llvm/DebugInfo/DWARF/DWARFUnit.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

constexpr std::string_view clang_suffix = ".coro_frame_ty";
constexpr std::string_view gcc_suffix = ".Frame";

std::vector<code_range> code_of(const llvm::DWARFDie& function, const image& file) {
  std::vector<code_range> ranges;
  for (const auto& each : address_ranges(function)) {
    // Functions that the linker removed keep their entry, at an address without code.
    if (each.LowPC >= each.HighPC || each.LowPC == 0 || file.read(each.LowPC, 1).empty()) continue;
    if (!file.is_constant(each.LowPC)) continue;
    ranges.push_back({each.LowPC, each.HighPC});
  }
  return ranges;
}

function_role role_of(std::string_view symbol) {
  const auto part = part_symbol_of(symbol);
  return part ? part->role : function_role::ramp;
}

/// The symbol of a function: that of its address if there is one, otherwise its linkage name.
std::string_view symbol_of(const llvm::DWARFDie& function, const std::vector<code_range>& ranges, const image& file) {
  if (const auto* symbol = ranges.empty() ? nullptr : file.function_at(ranges.front().begin);
      symbol != nullptr && symbol->address == ranges.front().begin) {
    return symbol->name;
  }
  return linkage_name(function);
}

/// g++ records its options in the debug information, clang does not.
bool is_optimized(const llvm::DWARFDie& unit) {
  const std::string_view producer = dwarf::toString(unit.find(dwarf::DW_AT_producer), "");
  if (!producer.starts_with("GNU")) return true;
  const auto found = producer.rfind(" -O");
  return found != std::string_view::npos && found + 3 < producer.size() && producer[found + 3] != '0';
}

/// The type of the frame, if this is a function of a clang coroutine.
llvm::DWARFDie clang_frame_type(const llvm::DWARFDie& function) {
  for (const auto& child : function.children()) {
    if (child.getTag() != dwarf::DW_TAG_variable || short_name(child) != "__coro_frame") continue;
    return type_of(child);
  }
  return {};
}

/// The same for g++'s actor, which takes a pointer to the frame.
llvm::DWARFDie gcc_frame_type(const llvm::DWARFDie& function) {
  for (const auto& child : function.children()) {
    if (child.getTag() != dwarf::DW_TAG_formal_parameter) continue;
    if (short_name(child) != "frame_ptr") return {};
    llvm::DWARFDie type = type_of(child);
    if (type.isValid() && type.getTag() == dwarf::DW_TAG_pointer_type) type = type_of(type);
    return type.isValid() && short_name(type).ends_with(gcc_suffix) ? type : llvm::DWARFDie();
  }
  return {};
}

}  // namespace

std::string_view coroutine_of(const llvm::DWARFDie& function) {
  for (const auto& [type, suffix] :
       {std::pair(clang_frame_type(function), clang_suffix), std::pair(gcc_frame_type(function), gcc_suffix)}) {
    if (!type.isValid()) continue;
    const std::string_view name = short_name(type);
    if (name.ends_with(suffix)) return without_clone_suffixes(name.substr(0, name.size() - suffix.size()));
  }
  return {};
}

namespace {

class source_finder {
 public:
  explicit source_finder(const unit_context& unit) : unit_(unit) {}

  std::vector<frame_source> find() {
    for (const auto& entry : unit_.unit.dies()) {
      if (entry.getTag() != dwarf::DW_TAG_subprogram) continue;
      const llvm::DWARFDie function(&unit_.unit, &entry);
      if (function.find(dwarf::DW_AT_low_pc) || function.find(dwarf::DW_AT_ranges)) look_at(function);
    }
    add_gcc_ramps();
    const bool optimized = is_optimized(unit_.unit.getUnitDIE(true));
    std::vector<frame_source> sources;
    for (auto& [key, source] : found_) {
      const auto is_body = [](const frame_function& each) { return each.role != function_role::ramp; };
      source.optimized = optimized;
      // If there is only a ramp, the body of the coroutine is in another unit.
      if (std::ranges::any_of(source.functions, is_body)) sources.push_back(std::move(source));
    }
    return sources;
  }

 private:
  void look_at(const llvm::DWARFDie& function) {
    if (const auto type = clang_frame_type(function); type.isValid()) {
      const std::string_view name = short_name(type);
      if (name.ends_with(clang_suffix)) {
        add(name.substr(0, name.size() - clang_suffix.size()), producer::clang, type, function);
      }
      return;
    }
    llvm::DWARFDie described = function;
    if (const auto abstract = function.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin);
        abstract.isValid()) {
      described = abstract;
    }
    if (const auto type = gcc_frame_type(described); type.isValid()) {
      has_gcc_ = true;
      const std::string_view name = short_name(type);
      add(name.substr(0, name.size() - gcc_suffix.size()), producer::gcc, type, function);
    } else {
      plain_.push_back(function);
    }
  }

  void add(std::string_view name, producer made_by, const llvm::DWARFDie& type, const llvm::DWARFDie& function) {
    auto ranges = code_of(function, unit_.file);
    if (ranges.empty()) return;
    const auto role = role_of(symbol_of(function, ranges, unit_.file));
    name = without_clone_suffixes(name);
    // With -flto a unit of g++ has the code of several units, whose functions may have equal names but different
    // frames.
    auto& source = found_[{std::string(name), made_by == producer::gcc ? type.getOffset() : 0}];
    source.linkage_name = name;
    source.made_by = made_by;
    source.type = type;
    source.functions.push_back({.role = role,
                                .die = function,
                                .ranges = std::move(ranges),
                                .flow = nullptr,
                                .frame = {},
                                .frame_known = false});
  }

  /// g++'s ramps look like any other function. Those of lambdas and of members of local classes have no linkage name,
  /// but their address has a symbol.
  void add_gcc_ramps() {
    if (!has_gcc_) return;
    for (const auto& function : plain_) {
      std::string_view name = linkage_name(function);
      if (name.empty()) name = symbol_of(function, code_of(function, unit_.file), unit_.file);
      if (const auto* source = coroutine_of_ramp(function, without_clone_suffixes(name)); source != nullptr) {
        const llvm::DWARFDie type = source->type;
        add(source->linkage_name, producer::gcc, type, function);
      }
    }
  }

  /// The coroutine with that name; if there are several, the one that the ramp's own unit describes.
  [[nodiscard]] const frame_source* coroutine_of_ramp(const llvm::DWARFDie& ramp, std::string_view name) const {
    const auto abstract = ramp.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin);
    const auto* unit = (abstract.isValid() ? abstract : ramp).getDwarfUnit();
    const frame_source* only = nullptr;
    bool several = false;
    for (auto found = found_.lower_bound({std::string(name), 0}); found != found_.end() && found->first.first == name;
         ++found) {
      if (found->second.made_by != producer::gcc) continue;
      if (found->second.type.getDwarfUnit() == unit) return &found->second;
      several = only != nullptr;
      only = &found->second;
    }
    return several ? nullptr : only;
  }

  const unit_context& unit_;
  std::map<std::pair<std::string, std::uint64_t>, frame_source> found_;
  std::vector<llvm::DWARFDie> plain_;  ///< functions that may be g++'s ramps
  bool has_gcc_ = false;
};

/// g++ does not record the place of lambdas and of coroutines whose ramp was inlined, but it declares the promise
/// there.
source_line declaration_of_promise(const llvm::DWARFDie& actor) {
  const auto abstract = actor.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin);
  for (const auto& function : {actor, abstract}) {
    if (!function.isValid()) continue;
    for (const auto& child : function.children()) {
      if (child.getTag() == dwarf::DW_TAG_variable && short_name(child) == "_Coro_promise") return declaration(child);
    }
  }
  return {};
}

}  // namespace

std::vector<frame_source> find_frame_sources(const unit_context& unit) { return source_finder(unit).find(); }

source_line declaration_of(const frame_source& source) {
  for (const auto role : {function_role::ramp, function_role::resume, function_role::destroy}) {
    for (const auto& function : source.functions) {
      if (function.role != role) continue;
      if (const auto declared = declaration(function.die); declared.line != 0) return declared;
    }
  }
  for (const auto& function : source.functions) {
    if (source.made_by != producer::gcc || function.role != function_role::resume) continue;
    if (const auto declared = declaration_of_promise(function.die); declared.line != 0) return declared;
  }
  return {};
}

}  // namespace tare::inspect
