#include "cli/check_report.hpp"

#include "cli/frames_report.hpp"

#include <tare/version.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <filesystem>
#include <string_view>
#include <utility>

namespace tare::cli {
namespace {

using json = nlohmann::ordered_json;

/// Relative to the working folder, like the paths that other build tools print.
std::string shown_file(const inspect::source_line& where) {
  const std::string place = short_place(where);
  return place.substr(0, place.rfind(':'));
}

/// In GitHub workflow commands these characters end a command or a property.
std::string escaped(std::string_view text, bool property) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '%':
        out += "%25";
        break;
      case '\r':
        out += "%0D";
        break;
      case '\n':
        out += "%0A";
        break;
      case ':':
        out += property ? "%3A" : ":";
        break;
      case ',':
        out += property ? "%2C" : ",";
        break;
      default:
        out += c;
    }
  }
  return out;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> rules{{
    {"frame", "A coroutine's frame is larger than its budget."},
    {"await", "A coroutine holds more bytes across an await than its budget."},
    {"chain", "A coroutine and what it awaits take more bytes than the budget."},
    {"ratchet", "A coroutine's frame grew."},
    {"declared", "A coroutine's frame is larger than its TARE_FRAME_BUDGET."},
}};

}  // namespace

std::string violations_text(std::span<const inspect::violation> found) {
  std::string text;
  for (const auto& each : found) {
    text += each.where.line == 0
                ? fmt::format("{}: error: {} [{}]\n", each.of->image, each.message, each.rule)
                : fmt::format("{}: error: {} [{}]\n", short_place(each.where), each.message, each.rule);
  }
  return text;
}

std::string violations_github(std::span<const inspect::violation> found) {
  std::string text;
  for (const auto& each : found) {
    if (each.where.line == 0) {
      text += fmt::format("::error title=tare {}::{}\n", each.rule, escaped(each.message, false));
    } else {
      text += fmt::format("::error file={},line={},title=tare {}::{}\n", escaped(shown_file(each.where), true),
                          each.where.line, each.rule, escaped(each.message, false));
    }
  }
  return text;
}

std::string violations_sarif(std::span<const inspect::violation> found) {
  json driver{{"name", "tare"}, {"version", tare::version}, {"rules", json::array()}};
  for (const auto& [id, what] : rules) {
    driver["rules"].push_back({{"id", id}, {"shortDescription", {{"text", what}}}});
  }
  json results = json::array();
  for (const auto& each : found) {
    json result{{"ruleId", each.rule}, {"level", "error"}, {"message", {{"text", each.message}}}};
    if (each.where.line != 0) {
      const std::string file = shown_file(each.where);
      const json uri = std::filesystem::path(file).is_absolute() ? json("file://" + file) : json(file);
      result["locations"] =
          json::array({{{"physicalLocation",
                         {{"artifactLocation", {{"uri", uri}}}, {"region", {{"startLine", each.where.line}}}}}}});
    }
    results.push_back(std::move(result));
  }
  const json all{{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                 {"version", "2.1.0"},
                 {"runs", json::array({{{"tool", {{"driver", driver}}}, {"results", results}}})}};
  return all.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace tare::cli
