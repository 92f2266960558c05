#include "inspect/facts/compare.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <string_view>
#include <utility>

namespace tare::inspect {
namespace {

std::int64_t frame_of(const coroutine* coroutine) {
  return coroutine == nullptr ? 0 : static_cast<std::int64_t>(coroutine->frame_bytes.value_or(0));
}

/// A type in a form that is equal for all compilers: numbers in template arguments without the suffix of clang and
/// newer g++ (512UL), and integer types by their short names.
std::string plain_type(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> long_names{{
      {"long long unsigned int", "unsigned long long"},
      {"long unsigned int", "unsigned long"},
      {"short unsigned int", "unsigned short"},
      {"long long int", "long long"},
      {"long int", "long"},
      {"short int", "short"},
  }};
  const auto is_word = [](char c) { return c == '_' || (std::isalnum(static_cast<unsigned char>(c)) != 0); };
  std::string plain;
  for (std::size_t index = 0; index < text.size();) {
    const bool begins_word = is_word(text[index]) && (index == 0 || !is_word(text[index - 1]));
    if (!begins_word) {
      plain += text[index++];
      continue;
    }
    const auto* const name = std::ranges::find_if(long_names, [&](const auto& each) {
      const std::size_t end = index + each.first.size();
      return text.substr(index).starts_with(each.first) && (end == text.size() || !is_word(text[end]));
    });
    if (name != long_names.end()) {
      plain += name->second;
      index += name->first.size();
      continue;
    }
    const auto end = static_cast<std::size_t>(
        std::ranges::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(index), text.end(), is_word) -
        text.begin());
    std::string_view word = text.substr(index, end - index);
    index = end;
    // Only suffixes of numbers; these letters are not hexadecimal digits.
    if (word.front() >= '0' && word.front() <= '9') word = word.substr(0, word.find_last_not_of("uUlL") + 1);
    plain += word;
  }
  return plain;
}

/// Bytes by name and type, without the arbitrary numbers that a compiler gives to unnamed fields.
std::map<std::pair<std::string, std::string>, std::uint64_t> bytes_by_name(const coroutine* coroutine) {
  std::map<std::pair<std::string, std::string>, std::uint64_t> bytes;
  if (coroutine == nullptr) return bytes;
  for (const auto& field : coroutine->fields) {
    const bool nameless = field.kind == field_kind::unnamed || field.kind == field_kind::padding;
    bytes[nameless ? std::pair<std::string, std::string>("(unnamed)", "")
                   : std::pair(plain_type(field.name), plain_type(field.type))] += field.bytes;
  }
  return bytes;
}

std::vector<changed_field> compare_fields(const coroutine* before, const coroutine* after) {
  const auto old_bytes = bytes_by_name(before);
  const auto new_bytes = bytes_by_name(after);
  std::vector<changed_field> changed;
  for (const auto& [key, bytes] : old_bytes) {
    const auto now = new_bytes.find(key);
    const std::uint64_t then = now == new_bytes.end() ? 0 : now->second;
    if (then != bytes) changed.push_back({.name = key.first, .type = key.second, .before = bytes, .after = then});
  }
  for (const auto& [key, bytes] : new_bytes) {
    if (!old_bytes.contains(key)) {
      changed.push_back({.name = key.first, .type = key.second, .before = 0, .after = bytes});
    }
  }
  const auto change = [](const changed_field& each) {
    return each.before > each.after ? each.before - each.after : each.after - each.before;
  };
  std::ranges::sort(changed, [&](const auto& a, const auto& b) {
    return std::pair(change(b), a.name) < std::pair(change(a), b.name);
  });
  return changed;
}

std::map<std::string_view, const coroutine*> by_name(std::span<const coroutine> all) {
  std::map<std::string_view, const coroutine*> names;
  for (const auto& each : all) {
    auto& place = names[each.linkage_name];
    // Of several copies of an inline coroutine, the largest is used.
    if (place == nullptr || each.frame_bytes.value_or(0) > place->frame_bytes.value_or(0)) place = &each;
  }
  return names;
}

}  // namespace

std::vector<changed_frame> compare(std::span<const coroutine> before, std::span<const coroutine> after) {
  const auto old_names = by_name(before);
  const auto new_names = by_name(after);
  std::vector<changed_frame> changed;
  const auto add = [&](const coroutine* then, const coroutine* now) {
    changed_frame frame{.before = then, .after = now, .difference = frame_of(now) - frame_of(then), .fields = {}};
    if (then != nullptr && now != nullptr) {
      if (frame.difference == 0) return;
      frame.fields = compare_fields(then, now);
    }
    changed.push_back(std::move(frame));
  };
  for (const auto& [name, then] : old_names) {
    const auto now = new_names.find(name);
    add(then, now == new_names.end() ? nullptr : now->second);
  }
  for (const auto& [name, now] : new_names) {
    if (!old_names.contains(name)) add(nullptr, now);
  }
  std::ranges::sort(changed, [](const changed_frame& a, const changed_frame& b) {
    const auto name = [](const changed_frame& frame) -> const std::string& {
      return frame.after != nullptr ? frame.after->name : frame.before->name;
    };
    return std::pair(-std::abs(a.difference), name(a)) < std::pair(-std::abs(b.difference), name(b));
  });
  return changed;
}

}  // namespace tare::inspect
