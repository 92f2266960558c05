#include "inspect/coroutine/compiler_record.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace tare::inspect {
namespace {

using json = nlohmann::json;

constexpr std::size_t longest_record = 4U << 20U;
constexpr std::size_t max_records = 1'000'000;
constexpr std::size_t max_entries = 16'384;  ///< of each list in a record
constexpr std::uint64_t max_frame = std::uint64_t{1} << 30;
constexpr std::uint64_t max_alignment = 1U << 20U;
constexpr std::uint64_t max_lines = std::numeric_limits<std::uint32_t>::max();

/// Reads a record; it is invalid if any part of it is.
class record_reader {
 public:
  std::optional<compiler_record> read(std::string_view text) {
    const json all = json::parse(text, nullptr, false);
    if (!all.is_object()) return std::nullopt;
    compiler_record record;
    record.coroutine = string(all, "coroutine");
    record.line = line(all);
    record.frame_bytes = number(all, "frame", max_frame);
    record.alignment = number(all, "align", max_alignment);
    for (const auto& each : list(all, "awaits")) record.awaits.push_back(read_await(each));
    for (const auto& each : list(all, "objects")) {
      record.places.push_back(read_place(each, record.frame_bytes));
      record.places.back().states = read_states(each, record.awaits.size());
    }
    for (const auto& each : list(all, "values")) record.places.push_back(read_place(each, record.frame_bytes));
    if (!good_ || record.coroutine.empty() || record.frame_bytes == 0 || record.alignment == 0) return std::nullopt;
    return record;
  }

 private:
  const json* member(const json& from, const char* key) {
    const auto found = from.is_object() ? from.find(key) : from.end();
    if (from.is_object() && found != from.end()) return &*found;
    good_ = false;
    return nullptr;
  }

  std::uint64_t number(const json& from, const char* key, std::uint64_t most) {
    const json* found = member(from, key);
    return found == nullptr ? 0 : number(*found, most);
  }

  std::uint64_t number(const json& from, std::uint64_t most) {
    if (from.is_number_unsigned() && from.get<std::uint64_t>() <= most) return from.get<std::uint64_t>();
    good_ = false;
    return 0;
  }

  std::uint32_t line(const json& json) { return static_cast<std::uint32_t>(number(json, "line", max_lines)); }

  std::string string(const json& from, const char* key) {
    const json* found = member(from, key);
    if (found != nullptr && found->is_string()) return found->get<std::string>();
    good_ = false;
    return {};
  }

  const json& list(const json& from, const char* key) {
    static const json none = json::array();
    const json* found = member(from, key);
    if (found != nullptr && found->is_array() && found->size() <= max_entries) return *found;
    good_ = false;
    return none;
  }

  compiler_record::await read_await(const json& from) {
    compiler_record::await made{.index = number(from, "index", max_entries), .where = {}, .final = false};
    made.where.line = line(from);
    if (from.contains("file")) made.where.file = string(from, "file");
    if (from.contains("final")) made.final = from["final"] == true;
    return made;
  }

  compiler_record::place read_place(const json& from, std::uint64_t frame_bytes) {
    compiler_record::place made;
    made.offset = number(from, "at", frame_bytes);
    made.bytes = number(from, "bytes", frame_bytes);
    if (made.bytes == 0 || made.bytes > frame_bytes - std::min(frame_bytes, made.offset)) good_ = false;
    for (const auto& name : list(from, "names")) {
      if (!name.is_array() || name.size() != 2 || !name[0].is_string()) {
        good_ = false;
        break;
      }
      made.variables.push_back(
          {.name = name[0].get<std::string>(), .line = static_cast<std::uint32_t>(number(name[1], max_lines))});
    }
    return made;
  }

  std::vector<byte_state> read_states(const json& from, std::size_t awaits) {
    const std::string letters = string(from, "states");
    std::vector<byte_state> states;
    for (const char letter : letters) {
      switch (letter) {
        case 'l':
          states.push_back(byte_state::live);
          break;
        case 'h':
          states.push_back(byte_state::held);
          break;
        case 'd':
          states.push_back(byte_state::dead);
          break;
        default:
          good_ = false;
      }
    }
    if (states.size() != awaits) good_ = false;
    return states;
  }

  bool good_ = true;
};

/// The record may belong to the same function in another file, built with other options.
bool fits(const compiler_record& record, const coroutine& coroutine) {
  const auto rounded = [&](std::uint64_t bytes) {
    return (bytes + record.alignment - 1) / record.alignment * record.alignment;
  };
  if (record.line != coroutine.declared.line) return false;
  if (rounded(record.frame_bytes) != rounded(coroutine.frame_bytes.value_or(0))) return false;
  return std::ranges::all_of(record.places, [&](const compiler_record::place& place) {
    return std::ranges::any_of(coroutine.fields, [&](const frame_field& field) {
      return place.offset >= field.offset && place.offset + place.bytes <= field.offset + field.bytes;
    });
  });
}

}  // namespace

void compiler_records::add(std::string_view section) {
  while (!section.empty() && by_name_.size() + refused_ < max_records) {
    const std::size_t end = std::min(section.find('\0'), section.size());
    const std::string_view text = section.substr(0, end);
    section.remove_prefix(std::min(section.size(), end + 1));
    if (text.empty()) continue;  // Linkers pad.
    auto record = text.size() > longest_record ? std::nullopt : record_reader().read(text);
    if (!record) {
      ++refused_;
      continue;
    }
    auto [found, last] = by_name_.equal_range(record->coroutine);
    if (std::ranges::any_of(found, last, [&](const auto& known) { return known.second == *record; })) continue;
    std::string name = record->coroutine;
    by_name_.emplace(std::move(name), *std::move(record));
  }
}

const compiler_record* compiler_records::of(const coroutine& coroutine) const {
  const compiler_record* found = nullptr;
  const auto [first, last] = by_name_.equal_range(coroutine.linkage_name);
  for (auto place = first; place != last; ++place) {
    if (!fits(place->second, coroutine)) continue;
    if (found != nullptr) return nullptr;
    found = &place->second;
  }
  return found;
}

}  // namespace tare::inspect
