#include "inspect/facts/ratchet.hpp"

#include "base/text_file.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>
#include <utility>

namespace tare::inspect {

ratchet record_frames(std::span<const coroutine> all) {
  ratchet frames;
  for (const auto& one : all) {
    if (!one.frame_bytes) continue;
    auto& bytes = frames[one.name];
    bytes = std::max(bytes, *one.frame_bytes);
  }
  return frames;
}

std::string ratchet_text(const ratchet& frames) {
  toml::table names;
  for (const auto& [name, bytes] : frames) names.insert(name, static_cast<std::int64_t>(bytes));
  std::ostringstream text;
  text << "# Bytes of each coroutine's frame. \"tare check\" fails when one grows; \"tare check --record\" writes "
          "this.\n"
       << toml::table{{"frames", std::move(names)}} << "\n";
  return text.str();
}

base::result<ratchet> parse_ratchet(std::string_view text, const std::filesystem::path& file) {
  toml::table top;
  try {
    top = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return base::input_error(fmt::format("{}:{}: {}", file.string(), error.source().begin.line, error.description()));
  }
  const auto wrong = [&](toml::source_index line, std::string_view what) {
    return base::input_error(fmt::format("{}:{}: {}", file.string(), line, what));
  };
  ratchet frames;
  const auto* table = top["frames"].as_table();
  if (table == nullptr) return wrong(1, "no [frames]: this is no file of tare check --record");
  for (const auto& [key, value] : top) {
    if (key.str() != "frames") return wrong(key.source().begin.line, fmt::format("unknown key '{}'", key.str()));
  }
  for (const auto& [name, value] : *table) {
    const auto bytes = value.value_exact<std::int64_t>();
    if (!bytes || *bytes < 0) return wrong(name.source().begin.line, "a frame is a number of bytes");
    frames.emplace(name.str(), static_cast<std::uint64_t>(*bytes));
  }
  return frames;
}

base::result<ratchet> read_ratchet(const std::filesystem::path& file) {
  const auto text = base::read_text_file(file);
  if (!text) return std::unexpected(text.error());
  return parse_ratchet(*text, file);
}

std::vector<violation> check_ratchet(std::span<const coroutine> all, const ratchet& before) {
  std::vector<violation> found;
  for (const auto& one : all) {
    const auto then = before.find(one.name);
    if (!one.frame_bytes || then == before.end() || *one.frame_bytes <= then->second) continue;
    found.push_back(
        {.of = &one,
         .where = one.declared,
         .rule = "ratchet",
         .bytes = *one.frame_bytes,
         .limit = then->second,
         .message = fmt::format("the frame of {} grew from {} to {} bytes", one.name, then->second, *one.frame_bytes)});
  }
  return found;
}

}  // namespace tare::inspect
