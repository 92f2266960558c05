#include "cli/frames_report.hpp"

#include "cli/figures.hpp"
#include "cli/short_name.hpp"
#include "cli/table.hpp"
#include "inspect/facts/chain.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <ranges>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace tare::cli {
namespace {

using inspect::byte_state;
using inspect::coroutine;
using json = nlohmann::ordered_json;

std::string optional_bytes(const std::optional<std::uint64_t>& bytes) { return bytes ? with_commas(*bytes) : "?"; }

std::string allocated(const coroutine& coroutine) {
  return coroutine.allocated_by == inspect::allocation::inside ? "inside" : optional_bytes(coroutine.allocated_bytes);
}

/// "208 B from malloc", as a part of a sentence.
std::string allocation_text(const coroutine& coroutine) {
  if (coroutine.allocated_by == inspect::allocation::inside) return "inside its awaiter";
  if (!coroutine.allocated_bytes) return "? B from the allocator";
  return fmt::format("{} B from {}", with_commas(*coroutine.allocated_bytes), name_of(coroutine.allocated_by));
}

std::uint64_t kept_bytes(const inspect::await_point& await) { return await.live_bytes + await.held_bytes; }

json place(const inspect::source_line& where) { return where.file.empty() ? json(nullptr) : json(where.file); }

json line(const inspect::source_line& where) { return where.line == 0 ? json(nullptr) : json(where.line); }

json bytes_or_null(const std::optional<std::uint64_t>& bytes) { return bytes ? json(*bytes) : json(nullptr); }

json to_json(const inspect::await_point& await) {
  json made{{"index", await.index},           {"kind", name_of(await.kind)},         {"file", place(await.where)},
            {"line", line(await.where)},      {"live_bytes", await.live_bytes},      {"held_bytes", await.held_bytes},
            {"dead_bytes", await.dead_bytes}, {"known_by", name_of(await.known_by)}, {"children", await.children},
            {"variables", json::array()}};
  for (const auto& variable : await.variables) {
    made["variables"].push_back({{"name", variable.name},
                                 {"type", variable.type},
                                 {"bytes", variable.bytes},
                                 {"offset", variable.offset},
                                 {"state", name_of(variable.state)},
                                 {"kind", name_of(variable.kind)}});
  }
  return made;
}

json to_json(const coroutine& coroutine) {
  json made{
      {"name", coroutine.name},
      {"linkage_name", coroutine.linkage_name},
      {"file", place(coroutine.declared)},
      {"line", line(coroutine.declared)},
      {"compiler", name_of(coroutine.made_by)},
      {"image", coroutine.image},
      {"frame_bytes", bytes_or_null(coroutine.frame_bytes)},
      {"allocated_bytes", bytes_or_null(coroutine.allocated_bytes)},
      {"allocated_by",
       coroutine.allocated_by == inspect::allocation::unknown ? json(nullptr) : json(name_of(coroutine.allocated_by))},
      {"abi_bytes", coroutine.is_described() ? json(coroutine.abi_bytes) : json(nullptr)},
      {"promise_bytes", coroutine.is_described() ? json(coroutine.promise_bytes) : json(nullptr)},
      {"padding_bytes", coroutine.is_described() ? json(coroutine.padding_bytes) : json(nullptr)},
      {"promise_type", coroutine.promise_type},
      {"fields", json::array()},
      {"awaits", json::array()}};
  for (const auto& field : coroutine.fields) {
    made["fields"].push_back({{"name", field.name},
                              {"type", field.type},
                              {"bytes", field.bytes},
                              {"offset", field.offset},
                              {"kind", name_of(field.kind)}});
  }
  for (const auto& await : coroutine.awaits) made["awaits"].push_back(to_json(await));
  return made;
}

}  // namespace

std::string_view name_of(byte_state state) {
  switch (state) {
    case byte_state::live:
      return "live";
    case byte_state::held:
      return "held";
    case byte_state::dead:
      return "dead";
  }
  return "";
}

std::string_view name_of(inspect::field_kind kind) {
  switch (kind) {
    case inspect::field_kind::abi:
      return "abi";
    case inspect::field_kind::promise:
      return "promise";
    case inspect::field_kind::parameter:
      return "parameter";
    case inspect::field_kind::local:
      return "local";
    case inspect::field_kind::awaiter:
      return "awaiter";
    case inspect::field_kind::child:
      return "child";
    case inspect::field_kind::unnamed:
      return "unnamed";
    case inspect::field_kind::padding:
      return "padding";
  }
  return "";
}

std::string_view name_of(inspect::allocation allocation) {
  switch (allocation) {
    case inspect::allocation::unknown:
      return "unknown";
    case inspect::allocation::malloc:
      return "malloc";
    case inspect::allocation::arena:
      return "arena";
    case inspect::allocation::asio:
      return "asio";
    case inspect::allocation::inside:
      return "inside";
  }
  return "";
}

std::string_view name_of(inspect::evidence known_by) {
  switch (known_by) {
    case inspect::evidence::compiler:
      return "compiler";
    case inspect::evidence::machine_code:
      return "machine code";
    case inspect::evidence::whole_frame:
      return "whole frame";
  }
  return "";
}

std::string_view name_of(inspect::suspension kind) {
  switch (kind) {
    case inspect::suspension::initial:
      return "initial";
    case inspect::suspension::await:
      return "await";
    case inspect::suspension::final:
      return "final";
  }
  return "";
}

std::string short_place(const inspect::source_line& where) {
  if (where.line == 0) return "?";
  namespace fs = std::filesystem;
  std::error_code failed;
  const fs::path here = fs::current_path(failed);
  const fs::path file = fs::path(where.file).lexically_normal();
  std::string name = file.string();
  if (!failed && name.starts_with(here.string() + "/")) name = file.lexically_relative(here).string();
  return fmt::format("{}:{}", name, where.line);
}

std::string shortest_place(const inspect::source_line& where) {
  std::string place = short_place(where);
  std::error_code failed;
  const std::filesystem::path here = std::filesystem::current_path(failed);
  if (failed || !place.starts_with('/')) return place;
  const auto relative = std::filesystem::path(where.file).lexically_normal().lexically_relative(here).string();
  std::string other = fmt::format("{}:{}", relative, where.line);
  return !relative.empty() && other.size() < place.size() ? other : place;
}

const inspect::await_point* fattest_await(const coroutine& coroutine) {
  const inspect::await_point* fattest = nullptr;
  for (const auto& await : coroutine.awaits) {
    if (await.kind != inspect::suspension::await) continue;
    if (fattest == nullptr || kept_bytes(await) > kept_bytes(*fattest)) fattest = &await;
  }
  return fattest;
}

std::size_t body_awaits(const coroutine& coroutine) {
  return static_cast<std::size_t>(
      std::ranges::count(coroutine.awaits, inspect::suspension::await, &inspect::await_point::kind));
}

std::string frames_table(std::span<const coroutine> coroutines, std::size_t width) {
  constexpr std::size_t place_of_fattest = 7;
  table rows({"coroutine", "line", "frame", "allocated", "overhead", "awaits", "fattest await", "at"}, 2);
  rows.align_left(place_of_fattest);
  for (const auto& each : coroutines) {
    const auto* fattest = fattest_await(each);
    std::string where;
    if (fattest != nullptr) {
      const std::string file = std::filesystem::path(fattest->where.file).filename().string();
      where = fattest->where.line == 0                    ? "?"
              : fattest->where.file == each.declared.file ? fmt::format(":{}", fattest->where.line)
                                                          : fmt::format("{}:{}", file, fattest->where.line);
    }
    rows.add({short_name(each.name), shortest_place(each.declared), optional_bytes(each.frame_bytes), allocated(each),
              each.is_described() ? with_commas(each.overhead_bytes()) : "?",
              each.is_described() ? fmt::format("{}", body_awaits(each)) : "?",
              fattest != nullptr ? with_commas(kept_bytes(*fattest)) : "", std::move(where)});
  }
  return rows.text(width);
}

std::string awaits_text(std::span<const coroutine> coroutines) {
  std::string text;
  for (const auto& each : coroutines) {
    if (!text.empty()) text += '\n';
    text += fmt::format("{}\n  {}, frame {} B, {}, {} B overhead\n", each.name, short_place(each.declared),
                        optional_bytes(each.frame_bytes), allocation_text(each),
                        each.is_described() ? with_commas(each.overhead_bytes()) : "?");
    if (!each.is_described()) continue;
    for (const auto& await : each.awaits) {
      const std::string_view kind = await.kind == inspect::suspension::initial ? "before the body"
                                    : await.kind == inspect::suspension::final ? "after the body"
                                                                               : "await";
      text += fmt::format("\n  {} {}: {} B live, {} B held, {} B dead (by {})\n", kind, short_place(await.where),
                          with_commas(await.live_bytes), with_commas(await.held_bytes), with_commas(await.dead_bytes),
                          name_of(await.known_by));
      for (const auto& variable : await.variables) {
        const bool padding = variable.kind == inspect::field_kind::padding;
        text += fmt::format("    {:>6}  {:>6} B  {}  {}\n", variable.offset, with_commas(variable.bytes),
                            name_of(variable.state),
                            padding                 ? "(padding)"
                            : variable.type.empty() ? variable.name
                                                    : fmt::format("{}: {}", variable.name, short_name(variable.type)));
      }
    }
  }
  return text;
}

std::string advice_text(std::span<const coroutine> coroutines, const inspect::frame_counts* counts) {
  std::string text;
  for (const auto& each : inspect::rank_advice(coroutines, counts)) {
    const std::string lighter =
        fmt::format("{} bytes {}", with_commas(each.what.bytes), each.what.certain ? "lighter" : "lighter, likely");
    const std::string all = each.frames ? fmt::format(", in {} frame{} {}", with_commas(*each.frames),
                                                      *each.frames == 1 ? "" : "s", with_commas(each.all_bytes()))
                                        : "";
    text += fmt::format("{}: {}{}: {} [{}]\n", short_place(each.what.where), lighter, all, each.what.message,
                        each.of->name);
  }
  return text.empty() ? "found nothing that would make a frame lighter by 32 bytes or more\n" : text;
}

std::string tree_text(std::span<const coroutine> coroutines, const std::string& name) {
  const inspect::chains ways(coroutines);
  std::string text;
  struct step {
    std::size_t coroutine;
    std::size_t depth;
    bool heaviest;
  };
  constexpr std::size_t deepest = 64;
  constexpr std::size_t max_lines = 2000;
  std::size_t lines = 0;
  for (std::size_t root = 0; root < coroutines.size(); ++root) {
    const std::string& its_name = coroutines[root].name;
    if (its_name != name && !its_name.starts_with(name + "(")) continue;
    text += fmt::format("{}{} bytes on the heaviest path from {}\n", text.empty() ? "" : "\n",
                        with_commas(ways.heaviest(root)), its_name);
    std::vector<step> waiting{{root, 0, true}};
    std::vector<std::size_t> path;
    while (!waiting.empty() && lines < max_lines) {
      const step made = waiting.back();
      waiting.pop_back();
      ++lines;
      path.resize(made.depth);
      const bool again = std::ranges::find(path, made.coroutine) != path.end();
      text += fmt::format("{} {:>8}  {}{}{}\n", made.heaviest ? '*' : ' ',
                          optional_bytes(coroutines[made.coroutine].frame_bytes), std::string(made.depth * 2, ' '),
                          coroutines[made.coroutine].name, again ? " (again)" : "");
      path.push_back(made.coroutine);
      if (again || made.depth >= deepest) continue;
      const auto heaviest = ways.heaviest_child(made.coroutine);
      const auto& children = ways.children(made.coroutine);
      for (const std::size_t child : std::views::reverse(children)) {
        waiting.push_back({child, made.depth + 1, made.heaviest && heaviest == child});
      }
    }
    if (lines >= max_lines) {
      text += "...\n";
      break;
    }
  }
  return text;
}

std::string frames_json(const inspect::coroutine_report& report) {
  json all{{"schema", 1}, {"functions", report.functions}, {"notes", report.notes}, {"coroutines", json::array()}};
  for (const auto& each : report.coroutines) all["coroutines"].push_back(to_json(each));
  return all.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace tare::cli
