#include "measure/race/results.hpp"

#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>

namespace {

using namespace tare::measure;
using namespace tare::base;
using nlohmann::ordered_json;

race_results example() {
  race_results results{.date = "2026-01-31",
                       .commit = "abc-dirty",
                       .quick = true,
                       .repeats = 2,
                       .seconds = 1.5,
                       .where = {.cpu = "a CPU", .cores = 4, .kernel = "Linux 6", .transparent_huge_pages = "never"},
                       .peers = {},
                       .entries = {}};
  results.peers.push_back({.name = "a",
                           .title = "A",
                           .language = "C",
                           .version = "1",
                           .subject = true,
                           .floor = false,
                           .absent = {},
                           .failed = {}});
  results.peers.push_back({.name = "b",
                           .title = "B",
                           .language = "",
                           .version = "",
                           .subject = false,
                           .floor = true,
                           .absent = "b is missing",
                           .failed = "it fell"});
  const sample point{
      .n = 1,
      .held = {.resident = 10, .proportional = 9, .anonymous = 8, .page_tables = 7, .peak = 11, .swapped = 0},
      .ready = std::chrono::milliseconds(250),
      .cpu = std::chrono::milliseconds(125),
      .reported = {{"spawn_seconds", 0.5}}};
  sample more = point;
  more.n = 3;
  results.entries.push_back({.peer = "a",
                             .workload = "empty",
                             .points = {point, more},
                             .weight = slope{2, 1, 3},
                             .notes = {"n = 9 left out"},
                             .failed = "it crashed"});
  return results;
}

std::string complaint(const std::string& text) {
  const auto parsed = parse_results(text, "file.json");
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().kind, fault::input);
  return parsed.error().message;
}

/// The example after one change.
template <class Change>
std::string complaint_about(Change change) {
  auto json = ordered_json::parse(to_json(example()));
  change(json);
  return complaint(json.dump());
}

TEST(results_test, what_is_written_is_read) {
  const race_results before = example();
  const auto after = parse_results(to_json(before), "file.json");
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(to_json(*after), to_json(before));
  ASSERT_NE(after->find("a"), nullptr);
  EXPECT_TRUE(after->find("a")->subject);
  const race_entry* entry = after->find("a", "empty");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->weight, (slope{2, 1, 3}));
  ASSERT_NE(entry->at(3), nullptr);
  EXPECT_EQ(entry->at(3)->reported.at("spawn_seconds"), 0.5);
  EXPECT_EQ(entry->at(3)->ready, std::chrono::milliseconds(250));
  EXPECT_EQ(entry->at(2), nullptr);
  EXPECT_EQ(after->find("a", "churn"), nullptr);
  EXPECT_EQ(after->find("c"), nullptr);
}

TEST(results_test, a_race_of_connections_is_read_as_one) {
  race_results before = example();
  before.connections = true;
  sample& point = before.entries.front().points.front();
  point.burst = 12;
  point.closed = 6;
  point.kernel = {.slab = 500, .sockets = -3};
  const auto after = parse_results(to_json(before), "file.json");
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_TRUE(after->connections);
  EXPECT_EQ(after->entries.front().points.front(), point);
  EXPECT_EQ(after->entries.front().points.back().kernel, kernel_growth());
  EXPECT_FALSE(parse_results(to_json(example()), "file.json")->connections);
}

TEST(results_test, another_schema_is_refused_with_what_to_do) {
  EXPECT_EQ(complaint_about([](auto& json) { json["schema"] = 0; }),
            "file.json: it has schema 0, and this command reads 1; run tare race again");
  EXPECT_EQ(complaint_about([](auto& json) { json["schema"] = 2; }),
            "file.json: it has schema 2, and this command reads 1; use a newer tare");
}

TEST(results_test, something_else_is_refused) {
  constexpr const char* other = "file.json: it contains no results of tare race";
  EXPECT_EQ(complaint("[]"), other);
  EXPECT_EQ(complaint(R"({"schema": 1, "results": []})"), other);
  EXPECT_THAT(complaint("{"), testing::StartsWith("file.json: parse error"));
  EXPECT_THAT(complaint(""), testing::StartsWith("file.json: parse error"));
}

TEST(results_test, what_is_missing_or_wrong_is_named) {
  EXPECT_EQ(complaint_about([](auto& json) { json.erase("date"); }), "file.json: key 'date' not found");
  EXPECT_EQ(complaint_about([](auto& json) { json["results"][0]["points"][0]["n"] = -1; }),
            "file.json: 'n' is not a whole number");
  EXPECT_EQ(complaint_about([](auto& json) { json["results"][0]["points"][0]["ready_seconds"] = -1; }),
            "file.json: 'ready_seconds' is not a time");
  EXPECT_EQ(complaint_about([](auto& json) { json["results"][0]["points"][1]["n"] = 1; }),
            "file.json: the points of a in empty are not in increasing order");
  EXPECT_EQ(complaint_about([](auto& json) { json["results"][0]["peer"] = "z"; }), "file.json: there is no peer 'z'");
  EXPECT_EQ(complaint_about([](auto& json) { json["measured"] = "apples"; }),
            "file.json: 'measured' is not 'tasks' or 'connections'");
  for (const ordered_json& wrong : {ordered_json("many"), ordered_json(1.5), ordered_json(~std::uint64_t{0}),
                                    ordered_json(std::numeric_limits<std::int64_t>::min())}) {
    EXPECT_EQ(complaint_about([&](auto& json) { json["results"][0]["points"][0]["slab_bytes"] = wrong; }),
              "file.json: 'slab_bytes' is not a number of bytes");
  }
  EXPECT_THAT(complaint_about([](auto& json) { json["peers"] = 5; }), testing::StartsWith("file.json: "));
}

TEST(results_test, a_file_that_cannot_be_read_is_named) {
  const support::temporary_folder folder;
  EXPECT_EQ(read_results(folder.path()).error().message, folder.path().string() + " is a folder");
  EXPECT_EQ(read_results(folder / "none").error().message,
            "cannot read " + (folder / "none").string() + ": No such file or directory");
}

}  // namespace
