#include "symbols/coroutine_symbol.hpp"

#include <tare/symbols.hpp>

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>

namespace tare {

namespace {

constexpr Dwfl_Callbacks callbacks{
    .find_elf = &dwfl_linux_proc_find_elf,
    .find_debuginfo = &dwfl_standard_find_debuginfo,
    .section_address = nullptr,
    .debuginfo_path = nullptr,
};

struct closing {
  void operator()(Dwfl* opened) const noexcept { dwfl_end(opened); }
};
using session = std::unique_ptr<Dwfl, closing>;

/// An address relative to a file's debug information, and the name to complete.
struct sought {
  Dwarf_Addr address;
  code_name* name;
};
using sought_list = std::vector<sought>;

/// The full path, normalized.
std::string path_of(Dwarf_Die& unit, const char* name) {
  if (name == nullptr) return {};
  Dwarf_Attribute folder;
  const char* const from = dwarf_formstring(dwarf_attr(&unit, DW_AT_comp_dir, &folder));
  return (std::filesystem::path(from == nullptr ? "" : from) / name).lexically_normal().string();
}

std::string file_of(Dwarf_Die& unit, Dwarf_Attribute* index_of_file) {
  // Not dwarf_decl_file, which treats file 0 as none, although in DWARF 5 it is the first file.
  Dwarf_Word index = 0;
  Dwarf_Files* files = nullptr;
  std::size_t count = 0;
  if (index_of_file == nullptr || dwarf_formudata(index_of_file, &index) != 0) return {};
  if (dwarf_getsrcfiles(&unit, &files, &count) != 0 || index >= count) return {};
  return path_of(unit, dwarf_filesrc(files, index, nullptr, nullptr));
}

/// "a::b::f": as in the debug information, without parameters.
std::string qualified_name(Dwarf_Die function) {
  // Its first declaration has its position in the source.
  for (const unsigned origin : {DW_AT_abstract_origin, DW_AT_specification}) {
    Dwarf_Attribute link;
    Dwarf_Die declared;
    if (dwarf_formref_die(dwarf_attr(&function, origin, &link), &declared) != nullptr) function = declared;
  }
  const char* const name = dwarf_diename(&function);
  if (name == nullptr) return {};
  std::string qualified = name;
  Dwarf_Die* scopes = nullptr;
  const int depth = dwarf_getscopes_die(&function, &scopes);
  const std::unique_ptr<Dwarf_Die, decltype(&std::free)> owner(scopes, &std::free);
  for (int i = 1; i < depth && dwarf_tag(&scopes[i]) != DW_TAG_compile_unit; ++i) {
    const char* const scope = dwarf_diename(&scopes[i]);
    qualified.insert(0, std::string(scope == nullptr ? "(anonymous)" : scope) + "::");
  }
  return qualified;
}

void describe(Dwarf_Die& unit, Dwarf_Die& function, code_name& named) {
  Dwarf_Attribute file;
  int line = 0;
  if (named.function.starts_with("_Z")) {
    // The standard library cannot demangle it, because it is older than the compiler.
    if (std::string readable = qualified_name(function); !readable.empty()) named.function = std::move(readable);
  }
  if (dwarf_decl_line(&function, &line) != 0) return;
  named.file = file_of(unit, dwarf_attr_integrate(&function, DW_AT_decl_file, &file));
  if (!named.file.empty()) named.line = static_cast<unsigned>(line);
}

/// Finds the functions at the addresses in `parent` and its descendants, wherever they are: clang puts them into their
/// namespaces.
void describe_functions(Dwarf_Die& unit, Dwarf_Die parent, const sought_list& in_unit) {
  Dwarf_Die child;
  if (dwarf_child(&parent, &child) != 0) return;
  do {
    const int tag = dwarf_tag(&child);
    if (tag == DW_TAG_subprogram) {
      for (const sought& each : in_unit) {
        if (each.name->line == 0 && dwarf_haspc(&child, each.address) == 1) describe(unit, child, *each.name);
      }
    }
    if (tag != DW_TAG_inlined_subroutine && dwarf_haschildren(&child) == 1) describe_functions(unit, child, in_unit);
  } while (dwarf_siblingof(&child, &child) == 0);
}

/// The line of the instruction; for the function of a coroutine, the line of its declaration.
void describe_by_line(Dwarf_Die& unit, const sought& wanted) {
  Dwarf_Line* const row = dwarf_getsrc_die(&unit, wanted.address);
  int line = 0;
  if (row == nullptr || dwarf_lineno(row, &line) != 0 || line <= 0) return;
  wanted.name->file = path_of(unit, dwarf_linesrc(row, nullptr, nullptr));
  if (!wanted.name->file.empty()) wanted.name->line = static_cast<unsigned>(line);
}

/// The addresses in the unit; `all` is sorted.
sought_list those_in(Dwarf_Die& unit, const sought_list& all) {
  sought_list found;
  Dwarf_Addr base = 0;
  Dwarf_Addr begin = 0;
  Dwarf_Addr end = 0;
  std::ptrdiff_t offset = 0;
  while ((offset = dwarf_ranges(&unit, offset, &base, &begin, &end)) > 0) {
    auto next = std::ranges::lower_bound(all, begin, {}, &sought::address);
    for (; next != all.end() && next->address < end; ++next) found.push_back(*next);
  }
  return found;
}

void describe_all(Dwarf& information, const sought_list& all) {
  Dwarf_CU* cursor = nullptr;
  Dwarf_Half version = 0;
  std::uint8_t kind = 0;
  Dwarf_Die unit;
  Dwarf_Die split;
  // Whole units are searched one by one, because clang writes no address index.
  while (dwarf_get_units(&information, cursor, &cursor, &version, &kind, &unit, &split) == 0) {
    if (kind != DW_UT_compile && kind != DW_UT_skeleton) continue;
    const sought_list in_unit = those_in(unit, all);
    if (in_unit.empty()) continue;
    const bool is_elsewhere = kind == DW_UT_skeleton && dwarf_tag(&split) == DW_TAG_compile_unit;
    describe_functions(is_elsewhere ? split : unit, is_elsewhere ? split : unit, in_unit);
    for (const sought& each : in_unit) {
      if (each.name->line == 0) describe_by_line(unit, each);
    }
  }
}

std::string symbol_at(Dwfl_Module* module, Dwarf_Addr address) {
  GElf_Off offset = 0;
  GElf_Sym symbol;
  const char* const name = dwfl_module_addrinfo(module, address, &offset, &symbol, nullptr, nullptr, nullptr);
  // For an address without its own symbol, this would return the preceding one.
  if (name == nullptr || (offset != 0 && offset >= symbol.st_size)) return {};
  return name;
}

/// Completes the names of one module; returns a note about it, or nothing.
std::string describe_module(Dwfl_Module* module, sought_list& all) {
  const char* const file = dwfl_module_info(module, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
  const std::string name = file == nullptr ? std::string("?") : file;
  bool has_symbols = true;
  for (const sought& each : all) {
    each.name->module = name;
    const std::string symbol = symbol_at(module, each.address);
    if (symbol.empty()) has_symbols = false;
    each.name->function = detail::readable_name(symbol);
  }
  Dwarf_Addr bias = 0;
  Dwarf* const information = dwfl_module_getdwarf(module, &bias);
  if (information == nullptr) {
    return name + (has_symbols ? ": no debug information, so files and lines are unknown: build with -g"
                               : ": stripped of symbols and debug information: build with -g, or keep the debug file "
                                 "next to it");
  }
  for (sought& each : all) each.address -= bias;
  std::ranges::sort(all, {}, &sought::address);
  describe_all(*information, all);
  if (std::ranges::any_of(all, [](const sought& each) { return each.name->line == 0; })) {
    return name + ": some functions have no debug information: build all of it with -g";
  }
  return {};
}

}  // namespace

code_names name_code(std::span<const void* const> addresses) {
  code_names result;
  result.names.resize(addresses.size());
  const session opened(dwfl_begin(&callbacks));
  int failure = -1;
  if (opened != nullptr) failure = dwfl_linux_proc_report(opened.get(), ::getpid());
  if (opened == nullptr || failure != 0 || dwfl_report_end(opened.get(), nullptr, nullptr) != 0) {
    const char* const why = failure > 0 ? "/proc/self/maps cannot be read" : dwfl_errmsg(-1);
    result.notes.push_back("the code of this process cannot be examined: " + std::string(why == nullptr ? "?" : why));
    return result;
  }
  std::map<Dwfl_Module*, sought_list> by_module;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto address = std::bit_cast<std::uintptr_t>(addresses[i]);
    Dwfl_Module* const module = dwfl_addrmodule(opened.get(), address);
    if (module != nullptr) by_module[module].push_back({.address = address, .name = &result.names[i]});
  }
  for (auto& [module, all] : by_module) {
    std::string note = describe_module(module, all);
    if (!note.empty()) result.notes.push_back(std::move(note));
  }
  return result;
}

}  // namespace tare
