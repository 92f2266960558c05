#include "inspect/dwarf/value_text.hpp"

#include "inspect/dwarf/type_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

constexpr int deepest = 4;
constexpr std::size_t max_members = 8;
constexpr std::size_t max_elements = 4;
constexpr std::size_t max_text = 48;

template <class T>
T number_from(std::span<const std::byte> bytes) {
  T number{};
  std::memcpy(&number, bytes.data(), std::min(sizeof number, bytes.size()));
  return number;
}

std::int64_t signed_from(std::span<const std::byte> bytes) {
  const auto number = number_from<std::uint64_t>(bytes);
  const unsigned unused = 64 - 8 * static_cast<unsigned>(std::min<std::size_t>(bytes.size(), 8));
  return unused >= 64 ? 0 : static_cast<std::int64_t>(number << unused) >> unused;
}

/// In quotes, up to the first null if there is one; unprintable characters as \x12.
std::string quoted(std::string_view text, bool cut) {
  std::string out = "\"";
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      out += '\\';
      out += letter;
    } else if (code < 0x20 || code >= 0x7f) {
      out += fmt::format("\\x{:02x}", code);
    } else {
      out += letter;
    }
  }
  return out + (cut ? "\"…" : "\"");
}

class writer {
 public:
  explicit writer(const address_space& memory) : memory_(memory) {}

  std::string text(llvm::DWARFDie type, std::span<const std::byte> bytes, int depth) {
    type = bare(type);
    if (!type.isValid() || bytes.empty()) return {};
    if (depth > deepest) return "…";
    switch (type.getTag()) {
      case dwarf::DW_TAG_base_type:
        return base(type, bytes);
      case dwarf::DW_TAG_enumeration_type:
        return enumerator(type, bytes);
      case dwarf::DW_TAG_pointer_type:
        return pointer(type, bytes);
      case dwarf::DW_TAG_reference_type:
      case dwarf::DW_TAG_rvalue_reference_type:
        return fmt::format("{:#x}", number_from<std::uint64_t>(bytes));
      case dwarf::DW_TAG_array_type:
        return array(type, bytes, depth);
      case dwarf::DW_TAG_structure_type:
      case dwarf::DW_TAG_class_type:
      case dwarf::DW_TAG_union_type:
        return object(type, bytes, depth);
      default:
        return {};
    }
  }

 private:
  /// A member.
  struct part {
    std::string name;  ///< empty if it has none
    std::string value;
  };

  static llvm::DWARFDie bare(llvm::DWARFDie type) {
    constexpr int most = 32;
    for (int steps = 0; type.isValid() && steps < most; ++steps) {
      const auto tag = type.getTag();
      if (tag != dwarf::DW_TAG_typedef && tag != dwarf::DW_TAG_const_type && tag != dwarf::DW_TAG_volatile_type &&
          tag != dwarf::DW_TAG_atomic_type && tag != dwarf::DW_TAG_restrict_type) {
        return type;
      }
      type = type_of(type);
    }
    return {};
  }

  static bool is_character(const llvm::DWARFDie& type) {
    const auto plain = bare(type);
    if (!plain.isValid() || plain.getTag() != dwarf::DW_TAG_base_type || type_bytes(plain) != 1) return false;
    const auto encoding = dwarf::toUnsigned(plain.find(dwarf::DW_AT_encoding), 0);
    return encoding == dwarf::DW_ATE_signed_char || encoding == dwarf::DW_ATE_unsigned_char ||
           encoding == dwarf::DW_ATE_UTF;
  }

  static std::string base(const llvm::DWARFDie& type, std::span<const std::byte> bytes) {
    bytes = bytes.first(std::min<std::uint64_t>(bytes.size(), type_bytes(type)));
    if (bytes.empty()) return {};
    switch (dwarf::toUnsigned(type.find(dwarf::DW_AT_encoding), 0)) {
      case dwarf::DW_ATE_boolean:
        return number_from<std::uint8_t>(bytes) == 0 ? "false" : "true";
      case dwarf::DW_ATE_float:
        if (bytes.size() == sizeof(float)) return fmt::format("{}", number_from<float>(bytes));
        if (bytes.size() == sizeof(double)) return fmt::format("{}", number_from<double>(bytes));
        return fmt::format("{}", static_cast<double>(number_from<long double>(bytes)));
      case dwarf::DW_ATE_signed:
        return fmt::format("{}", signed_from(bytes));
      case dwarf::DW_ATE_signed_char:
      case dwarf::DW_ATE_unsigned_char: {
        const auto code = number_from<unsigned char>(bytes);
        return code >= 0x20 && code < 0x7f ? fmt::format("{} '{}'", code, static_cast<char>(code))
                                           : fmt::format("{}", code);
      }
      default:
        return fmt::format("{}", number_from<std::uint64_t>(bytes));
    }
  }

  static std::string enumerator(const llvm::DWARFDie& type, std::span<const std::byte> bytes) {
    const auto value = signed_from(bytes.first(std::min<std::uint64_t>(bytes.size(), type_bytes(type))));
    for (const auto& each : type.children()) {
      if (each.getTag() != dwarf::DW_TAG_enumerator) continue;
      const auto its = each.find(dwarf::DW_AT_const_value);
      const auto number = its ? its->getAsSignedConstant() : std::nullopt;
      if (number && *number == value) return std::string(short_name(each));
    }
    return fmt::format("{}", value);
  }

  [[nodiscard]] std::string pointer(const llvm::DWARFDie& type, std::span<const std::byte> bytes) const {
    const auto address = number_from<std::uint64_t>(bytes);
    if (address == 0) return "null";
    std::string out = fmt::format("{:#x}", address);
    if (is_character(type_of(type))) {
      if (const auto text = text_at(address, std::nullopt); text) out += " " + *text;
    }
    return out;
  }

  /// Text in memory; up to the first null if the length is not known.
  [[nodiscard]] std::optional<std::string> text_at(std::uint64_t address, std::optional<std::uint64_t> length) const {
    std::string text(std::min<std::uint64_t>(length.value_or(max_text), max_text), '\0');
    const auto read = memory_.read(address, std::as_writable_bytes(std::span(text)));
    if (read == 0 && !text.empty()) return std::nullopt;
    text.resize(read);
    bool cut = length && *length > max_text;
    if (!length) {
      const auto end = text.find('\0');
      cut = end == std::string::npos;
      text.resize(std::min(end, text.size()));
    }
    return quoted(text, cut);
  }

  std::string array(const llvm::DWARFDie& type, std::span<const std::byte> bytes, int depth) {
    const auto element = type_of(type);
    const auto size = type_bytes(element);
    if (size == 0) return {};
    if (is_character(element)) {
      std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      text = text.substr(0, std::min(text.find('\0'), text.size()));
      return quoted(text.substr(0, max_text), text.size() > max_text);
    }
    std::string out = "[";
    const std::size_t count = bytes.size() / size;
    for (std::size_t i = 0; i < std::min(count, max_elements); ++i) {
      if (i != 0) out += ", ";
      out += text(element, bytes.subspan(i * size, size), depth + 1);
    }
    return out + (count > max_elements ? fmt::format(", … {} in all]", count) : "]");
  }

  std::string object(const llvm::DWARFDie& type, std::span<const std::byte> bytes, int depth) {
    if (const auto text = string_object(type, bytes); text) return *text;
    if (short_name(type).starts_with("coroutine_handle<")) {
      const auto address = number_from<std::uint64_t>(bytes);
      return address == 0 ? "null" : fmt::format("{:#x}", address);
    }
    std::vector<part> parts;
    collect(type, bytes, depth, parts);
    // A class with one member is shown as that member.
    if (parts.size() == 1) return parts.front().value;
    std::string out = "{";
    for (const auto& each : parts) {
      if (&each != &parts.front()) out += ", ";
      if (!each.name.empty()) out += each.name + ": ";
      out += each.value;
    }
    return out + "}";
  }

  void collect(const llvm::DWARFDie& type, std::span<const std::byte> bytes, int depth, std::vector<part>& parts) {
    if (depth > deepest) return;
    for (const auto& child : type.children()) {
      const bool is_base = child.getTag() == dwarf::DW_TAG_inheritance;
      if ((!is_base && child.getTag() != dwarf::DW_TAG_member) || child.find(dwarf::DW_AT_external)) continue;
      if (child.find(dwarf::DW_AT_bit_size)) {
        collect_bits(child, bytes, parts);
        continue;
      }
      const auto found = member_offset(child).value_or(0);
      const auto its_type = bare(type_of(child));
      const auto size = type_bytes(its_type);
      if (found >= bytes.size() || size > bytes.size() - found) continue;
      const auto its_bytes = bytes.subspan(found, size);
      if (is_base) {
        collect(its_type, its_bytes, depth + 1, parts);
        continue;
      }
      if (parts.size() == max_members) parts.push_back({.name = {}, .value = "…"});
      if (parts.size() > max_members) return;
      const auto value = text(its_type, its_bytes, depth + 1);
      if (value.empty()) continue;
      parts.push_back({.name = std::string(short_name(child)), .value = value});
    }
  }

  static void collect_bits(const llvm::DWARFDie& member, std::span<const std::byte> bytes, std::vector<part>& parts) {
    const auto width = dwarf::toUnsigned(member.find(dwarf::DW_AT_bit_size), 0);
    const auto first = dwarf::toUnsigned(member.find(dwarf::DW_AT_data_bit_offset), 0);
    if (width == 0 || width > 56 || first / 8 >= bytes.size() || parts.size() >= max_members) return;
    const auto word =
        number_from<std::uint64_t>(bytes.subspan(first / 8, std::min<std::size_t>(8, bytes.size() - first / 8)));
    const std::uint64_t value = word >> (first % 8) & ((std::uint64_t{1} << width) - 1);
    parts.push_back({.name = std::string(short_name(member)), .value = fmt::format("{}", value)});
  }

  /// libstdc++'s std::string and std::string_view.
  [[nodiscard]] std::optional<std::string> string_object(const llvm::DWARFDie& type,
                                                         std::span<const std::byte> bytes) const {
    const auto name = short_name(type);
    if (bytes.size() < 16) return std::nullopt;
    const auto first = number_from<std::uint64_t>(bytes);
    const auto second = number_from<std::uint64_t>(bytes.subspan(8));
    if (name.starts_with("basic_string<char")) return text_at(first, second);
    if (name.starts_with("basic_string_view<char")) return text_at(second, first);
    return std::nullopt;
  }

  const address_space& memory_;
};

}  // namespace

std::string value_text(const llvm::DWARFDie& type, std::span<const std::byte> bytes, const address_space& memory) {
  constexpr std::size_t longest = 400;
  std::string text = writer(memory).text(type, bytes, 0);
  if (text.size() > longest) {
    // Do not cut a multi-byte character.
    std::size_t end = longest;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) --end;
    text.resize(end);
    text += "…";
  }
  return text;
}

}  // namespace tare::inspect
