#include "inspect/live/snapshot_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <utility>

namespace {

using namespace tare::inspect;
using nlohmann::ordered_json;
using testing::HasSubstr;

live_snapshot example() {
  live_snapshot made{.pid = 4242,
                     .command = "/usr/bin/server",
                     .rss_bytes = 100'000'000,
                     .memory = {.frames = 3'000,
                                .arena_free = 1'000,
                                .runtime = 2'000,
                                .malloc_used = 50'000'000,
                                .malloc_free = 9'000'000,
                                .stacks = 40'000,
                                .binaries = 954'000,
                                .rest = 40'000'000},
                     .frame_bytes = 3'000,
                     .frames = 21,
                     .uncertain = 1,
                     .not_started = 11,
                     .half_built = 3,
                     .freed = 70,
                     .left_out = 5,
                     .scanned_bytes = 90'000'000,
                     .seconds = 0.25,
                     .paused_seconds = 0.05,
                     .sites = {},
                     .stacks = {},
                     .notes = {"a library has no debug information"}};
  made.sites.push_back({.function = "serve(tcp::socket)",
                        .where = {.file = "/src/server.cpp", .line = 42},
                        .kind = suspension::await,
                        .image = "/usr/bin/server",
                        .merged = false,
                        .half_built = true,
                        .frame_bytes = 200,
                        .count = 10,
                        .total_bytes = 2'000,
                        .uncertain = 1});
  made.sites.push_back({.function = "query<int>(key)",
                        .where = {},
                        .kind = suspension::initial,
                        .image = "/usr/lib/libdb.so",
                        .merged = true,
                        .half_built = false,
                        .frame_bytes = 0,
                        .count = 11,
                        .total_bytes = 1'000,
                        .uncertain = 0});
  made.stacks = {{.site = 0, .count = 10, .bytes = 2'000, .bytes_with_below = 3'000},
                 {.site = 1, .parent = 0, .count = 11, .bytes = 1'000, .bytes_with_below = 1'000}};
  return made;
}

std::string complaint(const std::string& text) {
  const auto parsed = parse_snapshot(text, "file.json");
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().kind, tare::base::fault::input);
  EXPECT_EQ(parsed.error().message.find('\n'), std::string::npos) << parsed.error().message;
  return parsed.error().message;
}

std::string complaint_after(const std::function<void(ordered_json&)>& change) {
  auto all = ordered_json::parse(snapshot_json(example()));
  change(all);
  return complaint(all.dump());
}

TEST(snapshot_file_test, what_is_written_can_be_read) {
  const auto read = parse_snapshot(snapshot_json(example()), "file.json");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(*read, example());
  const auto nothing = parse_snapshot(snapshot_json({}), "file.json");
  ASSERT_TRUE(nothing.has_value()) << nothing.error().message;
  EXPECT_EQ(*nothing, live_snapshot());
}

TEST(snapshot_file_test, the_keys_are_the_documented_ones) {
  const auto all = ordered_json::parse(snapshot_json(example()));
  EXPECT_EQ(all.at("schema"), 1);
  EXPECT_EQ(all.at("frame_bytes"), 3'000);
  EXPECT_EQ(all.at("sites").at(0).at("suspension"), "await");
  EXPECT_EQ(all.at("sites").at(0).at("line"), 42);
  // What is not known is null.
  EXPECT_TRUE(all.at("sites").at(1).at("file").is_null());
  EXPECT_TRUE(all.at("sites").at(1).at("line").is_null());
  EXPECT_TRUE(all.at("sites").at(1).at("frame_bytes").is_null());
  EXPECT_TRUE(all.at("stacks").at(0).at("parent").is_null());
  EXPECT_EQ(all.at("stacks").at(1).at("parent"), 0);
}

TEST(snapshot_file_test, names_that_are_no_utf8_are_written_all_the_same) {
  auto odd = example();
  odd.sites[0].function = "caf\xe9()";
  odd.command = "\xff";
  const auto read = parse_snapshot(snapshot_json(odd), "file.json");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->sites[0].function, "caf\xef\xbf\xbd()");
}

TEST(snapshot_file_test, other_files_are_not_taken_for_snapshots) {
  EXPECT_THAT(complaint(""), HasSubstr("file.json: parse error"));
  EXPECT_THAT(complaint("\xff\xfe"), HasSubstr("file.json: parse error"));
  EXPECT_THAT(complaint("[]"), HasSubstr("file.json: it holds no snapshot"));
  EXPECT_THAT(complaint(R"({"schema": 1, "functions": 3, "coroutines": []})"), HasSubstr("it holds no snapshot"));
  EXPECT_EQ(complaint_after([](auto& all) { all["schema"] = 2; }),
            "file.json: it has schema 2, but this command reads 1");
  EXPECT_EQ(complaint_after([](auto& all) { all["schema"] = "1"; }), "file.json: 'schema' is not a whole number");
}

/// Keys that files of earlier builds do not have.
bool is_younger(const std::string& key) {
  return key == "not_started" || key == "half_built" || key == "freed" || key == "left_out" || key == "memory";
}

TEST(snapshot_file_test, files_of_earlier_builds_are_read) {
  auto all = ordered_json::parse(snapshot_json(example()));
  for (const char* key : {"not_started", "half_built", "freed", "left_out", "memory"})
    EXPECT_EQ(all.erase(key), 1U) << key;
  for (auto& site : all["sites"]) EXPECT_EQ(site.erase("half_built"), 1U);
  const auto read = parse_snapshot(all.dump(), "file.json");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  auto expected = example();
  expected.not_started = expected.half_built = expected.freed = expected.left_out = 0;
  expected.memory = {};
  expected.sites[0].half_built = false;
  EXPECT_EQ(*read, expected);
}

TEST(snapshot_file_test, every_other_key_is_needed) {
  const auto complete = ordered_json::parse(snapshot_json(example()));
  for (const auto& [key, ignored] : complete.items()) {
    if (is_younger(key)) continue;
    EXPECT_NE(complaint_after([&](auto& all) { all.erase(key); }), "accepted") << key;
  }
  for (const auto& [key, ignored] : complete.at("sites").at(0).items()) {
    if (is_younger(key)) continue;
    EXPECT_EQ(complaint_after([&](auto& all) { all["sites"][0].erase(key); }),
              "file.json: sites[0]: key '" + key + "' not found");
  }
  for (const auto& [key, ignored] : complete.at("stacks").at(1).items()) {
    EXPECT_EQ(complaint_after([&](auto& all) { all["stacks"][1].erase(key); }),
              "file.json: stacks[1]: key '" + key + "' not found");
  }
}

TEST(snapshot_file_test, impossible_values_are_refused) {
  const std::pair<std::function<void(ordered_json&)>, const char*> cases[] = {
      {[](auto& all) { all["rss_bytes"] = -1; }, "'rss_bytes' is not a whole number"},
      {[](auto& all) { all["frames"] = 1.5; }, "'frames' is not a whole number"},
      {[](auto& all) { all["frames"] = 1ULL << 60U; }, "'frames' is too large"},
      {[](auto& all) { all["pid"] = -4; }, "'pid' is not a whole number"},
      {[](auto& all) { all["freed"] = -1; }, "'freed' is not a whole number"},
      {[](auto& all) { all["memory"] = 7; }, "'memory' is no object"},
      {[](auto& all) { all["memory"]["stacks"] = "much"; }, "'stacks' is not a whole number"},
      {[](auto& all) { all["seconds"] = -0.5; }, "'seconds' is not a time"},
      {[](auto& all) { all["paused_seconds"] = 1e300; }, "'paused_seconds' is not a time"},
      {[](auto& all) { all["seconds"] = "long"; }, "file.json: type must be number"},
      {[](auto& all) { all["notes"] = "none"; }, "'notes' is not a list"},
      {[](auto& all) { all["notes"][0] = 3; }, "notes[0]: type must be string"},
      {[](auto& all) { all["sites"] = ordered_json::object(); }, "'sites' is not a list"},
      {[](auto& all) { all["sites"][1] = 7; }, "sites[1]: "},
      {[](auto& all) { all["sites"][1]["line"] = 1ULL << 32U; }, "sites[1]: 'line' is too large"},
      {[](auto& all) { all["sites"][1]["suspension"] = "asleep\n"; }, "sites[1]: 'suspension' is neither"},
      {[](auto& all) { all["sites"][1]["merged"] = 1; }, "sites[1]: type must be boolean"},
      {[](auto& all) { all["sites"][0]["uncertain"] = 11; }, "sites[0]: more frames are uncertain than there are"},
      {[](auto& all) { all["stacks"][1]["site"] = 2; }, "stacks[1]: site 2 does not exist"},
      {[](auto& all) { all["stacks"][1]["parent"] = 1; }, "stacks[1]: its parent 1 does not precede it"},
      {[](auto& all) { all["stacks"][0]["parent"] = 1; }, "stacks[0]: its parent 1 does not precede it"},
      {[](auto& all) { all["stacks"][0]["parent"] = stack_node::no_parent; }, "stacks[0]: 'parent' is too large"},
      {[](auto& all) { all["stacks"][0]["bytes_with_below"] = 1'999; }, "stacks[0]: it has more bytes than"},
  };
  for (const auto& [change, expected] : cases) EXPECT_THAT(complaint_after(change), HasSubstr(expected));
}

}  // namespace
