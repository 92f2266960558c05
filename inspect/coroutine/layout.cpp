#include "inspect/coroutine/layout.hpp"

#include "inspect/coroutine/promise_links.hpp"
#include "inspect/coroutine/readable_name.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <llvm/ADT/STLExtras.h>
#include <llvm/DebugInfo/DWARF/DWARFTypeUnit.h>
#include <llvm/DebugInfo/DWARF/DWARFUnit.h>
#include <llvm/Support/Casting.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <tuple>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

constexpr std::uint64_t max_part = std::uint64_t{1} << 30;  ///< beyond this the information is damaged
constexpr std::size_t max_fields = 16384;

/// "buf_1_2" without the numbers that g++ appends: the depth of the scope and which one it is.
std::string_view without_scope_numbers(std::string_view name) {
  for (int part = 0; part < 2; ++part) {
    const auto found = name.find_last_not_of("0123456789");
    if (found == std::string_view::npos || found == 0 || name[found] != '_' || found + 1 == name.size()) return name;
    name = name.substr(0, found);
  }
  return name;
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// g++ encodes the purpose of a field in its name.
field_kind kind_of_gcc_field(std::string_view name) {
  if (name == "_Coro_promise") return field_kind::promise;
  if (name.starts_with("_Coro_")) return field_kind::abi;
  const auto bare = without_scope_numbers(name);
  if (bare == "Is" || bare == "Fs") return field_kind::awaiter;
  if (bare.starts_with("Aw") && is_digits(bare.substr(2))) return field_kind::awaiter;
  if (bare.starts_with("D.") || (bare.starts_with("T") && is_digits(bare.substr(1)))) return field_kind::awaiter;
  return field_kind::local;
}

/// The promise's type, the class itself and not "coroutine_traits<...>::promise_type"; both compilers describe it as a
/// variable of the coroutine.
llvm::DWARFDie promise_type(const frame_source& source) {
  for (const auto& function : source.functions) {
    for (const auto& child : function.die.children()) {
      if (child.getTag() == dwarf::DW_TAG_variable && short_name(child) == "__promise") {
        return without_aliases(type_of(child));
      }
    }
  }
  return {};
}

/// Whether the type has this member function, or an instance of a template with this name.
bool has_member(const llvm::DWARFDie& type, std::string_view member) {
  return llvm::any_of(type.children(), [member](const llvm::DWARFDie& child) {
    const std::string_view name = short_name(child);
    const bool same = name == member || (name.starts_with(member) && name.substr(member.size()).starts_with('<'));
    return same && child.getTag() == dwarf::DW_TAG_subprogram;
  });
}

/// A type unit does not contain the instances of the type's member templates. The units that use them describe them in
/// a declaration that has the type's signature.
bool declares_instance(llvm::DWARFUnit& user, const llvm::DWARFDie& type, std::string_view member) {
  const auto* unit = llvm::dyn_cast<llvm::DWARFTypeUnit>(type.getDwarfUnit());
  if (unit == nullptr) return false;
  return llvm::any_of(user.dies(), [&](const llvm::DWARFDebugInfoEntry& entry) {
    if (entry.getTag() != dwarf::DW_TAG_structure_type && entry.getTag() != dwarf::DW_TAG_class_type) return false;
    const llvm::DWARFDie declaration(&user, &entry);
    const auto signature = declaration.find(dwarf::DW_AT_signature);
    return signature && signature->getAsSignatureReference() == unit->getTypeHash() && has_member(declaration, member);
  });
}

/// Whether the class or one of its bases has this member function, according to the coroutine's unit.
bool declares(llvm::DWARFUnit& user, llvm::DWARFDie type, std::string_view member, int depth = 0) {
  constexpr int max_depth = 16;
  type = without_aliases(type);
  if (!type.isValid() || depth > max_depth) return false;
  if (has_member(type, member) || declares_instance(user, type, member)) return true;
  return llvm::any_of(type.children(), [&](const llvm::DWARFDie& child) {
    return child.getTag() == dwarf::DW_TAG_inheritance && declares(user, type_of(child), member, depth + 1);
  });
}

/// Of promises with their own operator new, only those of this library and of Asio are known.
allocation allocation_of(llvm::DWARFUnit& user, const llvm::DWARFDie& promise, std::string_view promise_type) {
  if (!promise.isValid()) return allocation::unknown;
  if (!declares(user, promise, "operator new")) return allocation::malloc;
  if (promise_type.starts_with("tare::")) return allocation::arena;
  if (promise_type.starts_with("asio::detail::awaitable_frame")) return allocation::asio;
  return allocation::unknown;
}

/// The frame of a callee that was merged into this one: "_Z5childi.coro_frame_ty".
void name_merged_child(frame_field& field, std::string_view type) {
  constexpr std::string_view suffix = ".coro_frame_ty";
  if (field.name != "__coro_frame" || !type.ends_with(suffix)) return;
  type.remove_suffix(suffix.size());
  field.name = readable_function(type);
  field.type = "frame";
  field.kind = field_kind::child;
}

void name_gcc_field(frame_field& field, bool& before_index) {
  if (field.name == "_Coro_resume_index") before_index = false;
  field.kind = kind_of_gcc_field(field.name);
  if (field.kind == field_kind::local) {
    if (before_index) field.kind = field_kind::parameter;
    field.name = without_scope_numbers(field.name);
  } else if (field.kind == field_kind::awaiter) {
    const auto bare = without_scope_numbers(field.name);
    field.name = bare == "Is"   ? "initial awaiter"
                 : bare == "Fs" ? "final awaiter"
                                : "(" + std::string(field.type) + ")";
  }
}

}  // namespace

std::optional<std::uint64_t> allocated_bytes(allocation allocation, std::uint64_t frame_bytes) {
  switch (allocation) {
    case allocation::malloc:
      return malloc_bytes(frame_bytes);
    case allocation::arena:
      return arena_bytes(frame_bytes);
    case allocation::asio:
      return asio_bytes(frame_bytes);
    case allocation::unknown:
    case allocation::inside:
      break;
  }
  return std::nullopt;
}

std::uint64_t uncovered_bytes(const std::vector<frame_field>& fields, std::uint64_t frame_bytes) {
  std::uint64_t covered_to = 0;
  std::uint64_t uncovered = 0;
  for (const auto& field : fields) {
    if (field.kind == field_kind::padding) continue;
    if (field.offset > covered_to) uncovered += field.offset - covered_to;
    covered_to = std::max(covered_to, field.offset + field.bytes);
  }
  return uncovered + (frame_bytes > covered_to ? frame_bytes - covered_to : 0);
}

namespace {

/// What the debug information of clang 15 and 16 describes as the frame of a callee may be a pointer to it.
void make_pointer(frame_field& field) {
  field.name = "pointer to " + field.name;
  field.type = "void *";
  field.bytes = 8;
  field.kind = field_kind::unnamed;
}

/// Reads the members of a frame's type.
class layout_reader {
 public:
  layout_reader(const unit_context& unit, const frame_source& source)
      : unit_(unit), source_(source), gcc_(source.made_by == producer::gcc) {}

  frame_layout read() {
    for (const auto& member : source_.type.children()) {
      if (member.getTag() == dwarf::DW_TAG_member) add(member);
    }
    shrink_overlapping_children();
    const auto declared_bytes = dwarf::toUnsigned(source_.type.find(dwarf::DW_AT_byte_size));
    if (end_ == 0 && !declared_bytes) return std::move(layout_);
    // clang: the size of the type is rounded up to its alignment; the allocation ends with the last field.
    const std::uint64_t frame = gcc_ ? declared_bytes.value_or(end_) : (end_ + 7) / 8 * 8;
    layout_.frame_bytes = frame;
    if (!gcc_) add_clang_promise();
    if (is_damaged(frame)) {
      layout_.frame_bytes.reset();
      layout_.fields.clear();
    } else {
      complete(frame);
    }
    return std::move(layout_);
  }

 private:
  void add(const llvm::DWARFDie& member) {
    const auto offset = member_offset(member);
    const auto type = type_of(member);
    const std::uint64_t bytes = type_bytes(type);
    if (!offset || *offset > max_part || bytes > max_part || layout_.fields.size() >= max_fields) return;
    frame_field field{.name = std::string(short_name(member)),
                      .type = without_noise(type_text(type)),
                      .offset = *offset,
                      .bytes = bytes,
                      .kind = field_kind::unnamed,
                      .declared = {},
                      .type_entry = entry_of(type)};
    end_ = std::max(end_, *offset + bytes);
    if (gcc_) {
      describe_for_gcc(field, type);
    } else {
      describe_for_clang(field, type);
    }
    layout_.fields.push_back(std::move(field));
  }

  void describe_for_gcc(frame_field& field, const llvm::DWARFDie& type) {
    if (field.name == "_Coro_resume_index") {
      layout_.index_offset = field.offset;
      layout_.index_bytes = static_cast<std::uint32_t>(field.bytes);
    }
    if (field.name == "_Coro_promise") {
      layout_.promise_offset = field.offset;
      layout_.promise_bytes = field.bytes;
      promise_ = without_aliases(type);
      layout_.promise_type = without_noise(type_text(promise_));
    }
    name_gcc_field(field, before_index_);
  }

  void describe_for_clang(frame_field& field, const llvm::DWARFDie& type) {
    if (field.name == "__coro_index") {
      layout_.index_offset = field.offset;
      layout_.index_bytes = static_cast<std::uint32_t>(field.bytes == 0 ? 1 : field.bytes);
    }
    if (field.name == "__resume_fn" || field.name == "__destroy_fn" || field.name == "__coro_index") {
      field.kind = field_kind::abi;
    }
    name_merged_child(field, short_name(type));
  }

  /// No other field is inside of a merged frame: where one is, the field is only a pointer to the callee's frame.
  void shrink_overlapping_children() {
    for (auto& field : layout_.fields) {
      if (field.kind != field_kind::child) continue;
      const bool overlaps = std::ranges::any_of(layout_.fields, [&](const frame_field& other) {
        return &other != &field && other.bytes > 0 && other.offset < field.offset + field.bytes &&
               field.offset < other.offset + other.bytes;
      });
      if (overlaps) make_pointer(field);
    }
    end_ = 0;
    for (const auto& field : layout_.fields) end_ = std::max(end_, field.offset + field.bytes);
  }

  /// The promise follows the two pointers, as far as its alignment allows.
  void add_clang_promise() {
    promise_ = promise_type(source_);
    if (!promise_.isValid()) return;
    layout_.promise_bytes = type_bytes(promise_);
    layout_.promise_type = without_noise(type_text(promise_));
    std::optional<std::uint64_t> first;
    for (const auto& field : layout_.fields) {
      if (field.offset < frame_head_bytes || field.kind == field_kind::abi) continue;
      first = std::min(first.value_or(field.offset), field.offset);
    }
    layout_.promise_offset = layout_.promise_bytes <= 1 ? frame_head_bytes : first.value_or(frame_head_bytes);
    std::erase_if(layout_.fields, [&](const frame_field& field) {
      return field.offset == layout_.promise_offset && field.kind == field_kind::unnamed &&
             field.bytes <= layout_.promise_bytes;
    });
    layout_.fields.push_back({.name = "promise",
                              .type = layout_.promise_type,
                              .offset = layout_.promise_offset,
                              .bytes = layout_.promise_bytes,
                              .kind = field_kind::promise,
                              .declared = {},
                              .type_entry = entry_of(promise_)});
  }

  [[nodiscard]] bool is_damaged(std::uint64_t frame) const {
    return !is_frame_size(frame) || !std::ranges::all_of(layout_.fields, [&](const frame_field& field) {
      return field.offset <= frame && field.bytes <= frame - field.offset;
    });
  }

  void complete(std::uint64_t frame) {
    layout_.links = find_promise_links(promise_, layout_.promise_offset);
    std::erase_if(layout_.links, [&](const promise_link& link) { return link.offset + 8 > frame; });
    layout_.allocated_by = allocation_of(unit_.unit, promise_, layout_.promise_type);
    layout_.allocated_bytes = allocated_bytes(layout_.allocated_by, frame);
    std::ranges::sort(layout_.fields, [](const frame_field& a, const frame_field& b) {
      return std::tie(a.offset, b.bytes, a.name) < std::tie(b.offset, a.bytes, b.name);
    });
    for (const auto& field : layout_.fields) {
      if (field.kind == field_kind::abi) layout_.abi_bytes += field.bytes;
    }
  }

  const unit_context& unit_;
  const frame_source& source_;
  frame_layout layout_;
  bool gcc_;
  llvm::DWARFDie promise_;
  std::uint64_t end_ = 0;
  bool before_index_ = true;
};

}  // namespace

std::optional<std::vector<frame_field>> fields_within(std::uint64_t requested, std::vector<frame_field> fields) {
  for (auto& field : fields) {
    if (field.kind == field_kind::child && field.offset + field.bytes > requested) make_pointer(field);
    if (field.offset + field.bytes > requested) return std::nullopt;
  }
  return fields;
}

frame_layout read_layout(const unit_context& unit, const frame_source& source) {
  return source.type.isValid() ? layout_reader(unit, source).read() : frame_layout();
}

}  // namespace tare::inspect
