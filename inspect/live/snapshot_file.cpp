#include "inspect/live/snapshot_file.hpp"

#include "base/json_problem.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cstddef>
#include <utility>

namespace tare::inspect {
namespace {

using nlohmann::ordered_json;

constexpr std::uint64_t schema = 1;

constexpr std::array<std::pair<suspension, std::string_view>, 3> kinds{
    {{suspension::initial, "initial"}, {suspension::await, "await"}, {suspension::final, "final"}}};

std::string_view name_of(suspension kind) {
  for (const auto& [known, name] : kinds) {
    if (known == kind) return name;
  }
  return "";
}

/// null if it is not known.
template <class T>
ordered_json or_null(const T& value) {
  return value == T() ? ordered_json() : ordered_json(value);
}

ordered_json json_of(const live_site& site) {
  return {{"function", site.function},
          {"file", or_null(site.where.file)},
          {"line", or_null(site.where.line)},
          {"suspension", name_of(site.kind)},
          {"image", site.image},
          {"merged", site.merged},
          {"half_built", site.half_built},
          {"count", site.count},
          {"frame_bytes", or_null(site.frame_bytes)},
          {"total_bytes", site.total_bytes},
          {"uncertain", site.uncertain}};
}

ordered_json json_of(const stack_node& node) {
  return {{"site", node.site},
          {"parent", node.parent == stack_node::no_parent ? ordered_json() : ordered_json(node.parent)},
          {"count", node.count},
          {"bytes", node.bytes},
          {"bytes_with_below", node.bytes_with_below}};
}

/// Thrown and caught in this file only: what is wrong.
struct wrong_file {
  std::string what;
};

/// A count or bytes. JSON itself holds whole numbers exactly up to 2^53, which is more than a machine has of anything.
std::uint64_t whole_number(const ordered_json& json, const char* key, std::uint64_t most = std::uint64_t{1} << 53U) {
  const auto& value = json.at(key);
  if (!value.is_number_unsigned()) throw wrong_file{fmt::format("'{}' is not a whole number", key)};
  const auto number = value.get<std::uint64_t>();
  if (number > most) throw wrong_file{fmt::format("'{}' is too large: {}", key, number)};
  return number;
}

std::uint64_t known_number(const ordered_json& json, const char* key, std::uint64_t most = std::uint64_t{1} << 53U) {
  return json.at(key).is_null() ? 0 : whole_number(json, key, most);
}

/// A number that older files do not have.
std::uint64_t later_number(const ordered_json& json, const char* key) {
  return json.contains(key) ? whole_number(json, key) : 0;
}

double time(const ordered_json& json, const char* key) {
  constexpr double longest = 1e9;
  const auto value = json.at(key).get<double>();
  if (!(value >= 0 && value <= longest)) throw wrong_file{fmt::format("'{}' is not a time", key)};
  return value;
}

suspension kind_of(const ordered_json& json) {
  const auto name = json.at("suspension").get<std::string>();
  for (const auto& [kind, known] : kinds) {
    if (known == name) return kind;
  }
  throw wrong_file{"'suspension' is neither await nor initial nor final"};
}

live_site site_of(const ordered_json& json) {
  live_site site;
  json.at("function").get_to(site.function);
  if (const auto& file = json.at("file"); !file.is_null()) file.get_to(site.where.file);
  site.where.line = static_cast<std::uint32_t>(known_number(json, "line", std::numeric_limits<std::uint32_t>::max()));
  site.kind = kind_of(json);
  json.at("image").get_to(site.image);
  json.at("merged").get_to(site.merged);
  if (const auto half_built = json.find("half_built"); half_built != json.end()) half_built->get_to(site.half_built);
  site.count = whole_number(json, "count");
  site.frame_bytes = known_number(json, "frame_bytes");
  site.total_bytes = whole_number(json, "total_bytes");
  site.uncertain = whole_number(json, "uncertain");
  if (site.uncertain > site.count) throw wrong_file{"more frames are uncertain than there are"};
  return site;
}

/// `place` is its future index in the list.
stack_node node_of(const ordered_json& json, std::size_t sites, std::size_t place) {
  stack_node node{.site = static_cast<std::uint32_t>(whole_number(json, "site", stack_node::no_parent - 1)),
                  .parent = stack_node::no_parent,
                  .count = whole_number(json, "count"),
                  .bytes = whole_number(json, "bytes"),
                  .bytes_with_below = whole_number(json, "bytes_with_below")};
  if (node.site >= sites) throw wrong_file{fmt::format("site {} does not exist", node.site)};
  if (!json.at("parent").is_null()) {
    node.parent = static_cast<std::uint32_t>(whole_number(json, "parent", stack_node::no_parent - 1));
    if (node.parent >= place) throw wrong_file{fmt::format("its parent {} does not precede it", node.parent)};
  }
  if (node.bytes_with_below < node.bytes) throw wrong_file{"it has more bytes than it has with what is below"};
  return node;
}

/// Reads each element of a list; an error names the element.
template <class Read>
auto each_of(const ordered_json& json, const char* key, const Read& read) {
  const auto& list = json.at(key);
  if (!list.is_array()) throw wrong_file{fmt::format("'{}' is not a list", key)};
  std::vector<decltype(read(list, std::size_t{}))> all;
  all.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    try {
      all.push_back(read(list[i], i));
    } catch (const wrong_file& wrong) {
      throw wrong_file{fmt::format("{}[{}]: {}", key, i, wrong.what)};
    } catch (const ordered_json::exception& wrong) {
      throw wrong_file{fmt::format("{}[{}]: {}", key, i, base::json_problem(wrong.what()))};
    }
  }
  return all;
}

ordered_json json_of(const memory_parts& parts) {
  return {{"frames", parts.frames},           {"arena_free", parts.arena_free},
          {"runtime", parts.runtime},         {"malloc_used", parts.malloc_used},
          {"malloc_free", parts.malloc_free}, {"stacks", parts.stacks},
          {"binaries", parts.binaries},       {"rest", parts.rest}};
}

/// Older files do not have it.
memory_parts memory_of(const ordered_json& json) {
  if (!json.contains("memory")) return {};
  const auto& parts = json.at("memory");
  if (!parts.is_object()) throw wrong_file{"'memory' is no object"};
  return {.frames = later_number(parts, "frames"),
          .arena_free = later_number(parts, "arena_free"),
          .runtime = later_number(parts, "runtime"),
          .malloc_used = later_number(parts, "malloc_used"),
          .malloc_free = later_number(parts, "malloc_free"),
          .stacks = later_number(parts, "stacks"),
          .binaries = later_number(parts, "binaries"),
          .rest = later_number(parts, "rest")};
}

live_snapshot snapshot_of(const ordered_json& json) {
  if (!json.is_object() || !json.contains("schema") || !json.contains("sites") || !json.contains("stacks")) {
    throw wrong_file{"it holds no snapshot of tare snapshot or tare live"};
  }
  if (const auto its_schema = whole_number(json, "schema"); its_schema != schema) {
    throw wrong_file{fmt::format("it has schema {}, but this command reads {}", its_schema, schema)};
  }
  live_snapshot snapshot;
  snapshot.pid = static_cast<std::int64_t>(whole_number(json, "pid"));
  json.at("command").get_to(snapshot.command);
  snapshot.rss_bytes = whole_number(json, "rss_bytes");
  snapshot.memory = memory_of(json);
  snapshot.frame_bytes = whole_number(json, "frame_bytes");
  snapshot.frames = whole_number(json, "frames");
  snapshot.uncertain = whole_number(json, "uncertain");
  snapshot.not_started = later_number(json, "not_started");
  snapshot.half_built = later_number(json, "half_built");
  snapshot.freed = later_number(json, "freed");
  snapshot.left_out = later_number(json, "left_out");
  snapshot.scanned_bytes = whole_number(json, "scanned_bytes");
  snapshot.seconds = time(json, "seconds");
  snapshot.paused_seconds = time(json, "paused_seconds");
  snapshot.notes =
      each_of(json, "notes", [](const ordered_json& each, std::size_t) { return each.get<std::string>(); });
  snapshot.sites = each_of(json, "sites", [](const ordered_json& each, std::size_t) { return site_of(each); });
  snapshot.stacks = each_of(json, "stacks", [&](const ordered_json& each, std::size_t place) {
    return node_of(each, snapshot.sites.size(), place);
  });
  return snapshot;
}

}  // namespace

std::string snapshot_json(const live_snapshot& snapshot) {
  ordered_json all{{"schema", schema},
                   {"pid", snapshot.pid},
                   {"command", snapshot.command},
                   {"rss_bytes", snapshot.rss_bytes},
                   {"memory", json_of(snapshot.memory)},
                   {"frame_bytes", snapshot.frame_bytes},
                   {"frames", snapshot.frames},
                   {"uncertain", snapshot.uncertain},
                   {"not_started", snapshot.not_started},
                   {"half_built", snapshot.half_built},
                   {"freed", snapshot.freed},
                   {"left_out", snapshot.left_out},
                   {"scanned_bytes", snapshot.scanned_bytes},
                   {"seconds", snapshot.seconds},
                   {"paused_seconds", snapshot.paused_seconds},
                   {"notes", snapshot.notes},
                   {"sites", ordered_json::array()},
                   {"stacks", ordered_json::array()}};
  for (const auto& site : snapshot.sites) all["sites"].push_back(json_of(site));
  for (const auto& node : snapshot.stacks) all["stacks"].push_back(json_of(node));
  // A name may contain bytes that are not UTF-8.
  return all.dump(1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

base::result<live_snapshot> parse_snapshot(std::string_view text, const std::string& name) {
  try {
    return snapshot_of(ordered_json::parse(text));
  } catch (const wrong_file& wrong) {
    return base::input_error(fmt::format("{}: {}", name, wrong.what));
  } catch (const ordered_json::exception& wrong) {
    return base::input_error(fmt::format("{}: {}", name, base::json_problem(wrong.what())));
  }
}

}  // namespace tare::inspect
