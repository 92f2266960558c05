#include "inspect/facts/ratchet.hpp"

#include "base/text_file.hpp"
#include "base/toml_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <tuple>
#include <utility>

namespace tare::inspect {

namespace {

/// The coroutines of each compiler and name that have a size, in the order of their declarations. What several units
/// have, an inline function for example, is one, the largest.
std::map<std::pair<std::string, std::string>, std::vector<const coroutine*>> by_name(std::span<const coroutine> all) {
  const auto identity = [](const coroutine* each) {
    return std::tie(each->declared.file, each->declared.line, each->linkage_name);
  };
  std::map<std::pair<std::string, std::string>, std::vector<const coroutine*>> names;
  for (const auto& each : all) {
    if (each.frame_bytes) names[{std::string(name_of(each.made_by)), each.name}].push_back(&each);
  }
  for (auto& [name, of_name] : names) {
    std::ranges::sort(of_name, [&](const coroutine* a, const coroutine* b) {
      return std::pair(identity(a), *b->frame_bytes) < std::pair(identity(b), *a->frame_bytes);
    });
    const auto [first, last] = std::ranges::unique(
        of_name, [&](const coroutine* a, const coroutine* b) { return identity(a) == identity(b); });
    of_name.erase(first, last);
  }
  return names;
}

/// Those of unknown size are not among the coroutines compared here.
std::uint64_t bytes_of(const coroutine& coroutine) { return coroutine.frame_bytes.value_or(0); }

violation growth(const coroutine& coroutine, std::uint64_t before, std::string_view why) {
  return {.of = &coroutine,
          .where = coroutine.declared,
          .rule = "ratchet",
          .bytes = bytes_of(coroutine),
          .limit = before,
          .message = fmt::format("the frame of {} grew from {} to {} bytes{}", coroutine.name, before,
                                 bytes_of(coroutine), why)};
}

/// Of one name in one compiler's section.
void check_name(std::vector<const coroutine*> now, std::vector<std::uint64_t> before, std::vector<violation>& target) {
  std::string why;
  if (now.size() != before.size()) {
    why = fmt::format(" ({} have this name, and {} had it when recorded: if it is new, record again)", now.size(),
                      before.size());
    std::ranges::sort(now, std::ranges::greater{}, [](const coroutine* each) { return bytes_of(*each); });
    std::ranges::sort(before, std::ranges::greater{});
  }
  for (std::size_t i = 0; i < std::min(now.size(), before.size()); ++i) {
    if (bytes_of(*now[i]) > before[i]) target.push_back(growth(*now[i], before[i], why));
  }
}

constexpr std::array<std::string_view, 3> compilers{"clang", "gcc", "rustc"};

/// The frames of one name.
std::vector<std::uint64_t> read_sizes(base::toml_reader& in, const toml::node& node) {
  std::vector<std::uint64_t> sizes;
  const auto add = [&](const toml::node& each) {
    const auto number = each.value_exact<std::int64_t>();
    if (!number || *number < 0) in.complain(each, "a frame is a number of bytes, or a list of such numbers");
    sizes.push_back(static_cast<std::uint64_t>(number.value_or(0)));
  };
  if (const auto* several = node.as_array(); several != nullptr && !several->empty()) {
    for (const auto& each : *several) add(each);
  } else {
    add(node);
  }
  return sizes;
}

}  // namespace

ratchet record_frames(std::span<const coroutine> all) {
  ratchet frames;
  for (const auto& [name, of_name] : by_name(all)) {
    auto& bytes = frames[name.first][name.second];
    for (const auto* each : of_name) bytes.push_back(bytes_of(*each));
  }
  return frames;
}

std::size_t count_frames(const ratchet& frames) {
  std::size_t count = 0;
  for (const auto& [section, names] : frames) {
    for (const auto& [name, bytes] : names) count += bytes.size();
  }
  return count;
}

std::string ratchet_text(const ratchet& frames) {
  toml::table sections;
  for (const auto& [section, names] : frames) {
    toml::table table;
    for (const auto& [name, bytes] : names) {
      if (bytes.size() == 1) {
        table.insert(name, static_cast<std::int64_t>(bytes.front()));
        continue;
      }
      toml::array several;
      for (const auto each : bytes) several.push_back(static_cast<std::int64_t>(each));
      table.insert(name, std::move(several));
    }
    if (section.empty()) {
      for (const auto& [name, bytes] : table) sections.insert(name, bytes);
    } else {
      sections.insert(section, std::move(table));
    }
  }
  std::ostringstream text;
  text
      << "# Bytes of each coroutine's frame, by compiler. \"tare check\" fails when one grows; \"tare check --record\" "
         "writes this.\n"
      << toml::table{{"frames", std::move(sections)}} << "\n";
  return text.str();
}

base::result<ratchet> parse_ratchet(std::string_view text, const std::filesystem::path& file) {
  static constexpr std::array<std::string_view, 1> known{"frames"};
  const auto top = base::parse_toml(text, file);
  if (!top) return std::unexpected(top.error());
  base::toml_reader in(file);
  const auto* frames = top->get_as<toml::table>("frames");
  if (frames == nullptr) {
    constexpr std::string_view none = "no [frames]: this is not a file of tare check --record";
    const auto* other = top->get("frames");
    const toml::source_position start{.line = 1, .column = 1};
    return std::unexpected(base::toml_error(file, other == nullptr ? start : other->source().begin, none));
  }
  in.allow_keys(*top, known, "the file");
  ratchet read;
  for (const auto& [name, value] : *frames) {
    if (const auto* section = value.as_table(); section != nullptr) {
      if (std::ranges::find(compilers, name.str()) == compilers.end()) {
        in.complain(name, fmt::format("unknown compiler '{}'; known: {}", name.str(), fmt::join(compilers, ", ")));
      }
      auto& of_compiler = read[std::string(name.str())];
      for (const auto& [subject, bytes] : *section) of_compiler[std::string(subject.str())] = read_sizes(in, bytes);
    } else {
      read[""][std::string(name.str())] = read_sizes(in, value);
    }
  }
  if (in.error()) return std::unexpected(*in.error());
  return read;
}

base::result<ratchet> read_ratchet(const std::filesystem::path& file) {
  const auto text = base::read_text_file(file);
  if (!text) return std::unexpected(text.error());
  return parse_ratchet(*text, file);
}

std::vector<violation> check_ratchet(std::span<const coroutine> all, const ratchet& before) {
  std::vector<violation> found;
  for (const auto& [name, of_name] : by_name(all)) {
    auto section = before.find(name.first);
    if (section == before.end()) section = before.find("");
    if (section == before.end()) continue;
    if (const auto then = section->second.find(name.second); then != section->second.end()) {
      check_name(of_name, then->second, found);
    }
  }
  return found;
}

}  // namespace tare::inspect
