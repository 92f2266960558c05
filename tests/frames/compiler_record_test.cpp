// The compiler's records: read from a section, and matched with the frames that they describe.

#include "inspect/coroutine/compiler_record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace tare::inspect {
namespace {

constexpr char end = '\0';

std::string record(const std::string& name, const std::string& states = "dl") {
  return R"({"coroutine": ")" + name + R"(", "line": 12, "frame": 96, "align": 16,
    "awaits": [{"index": 0, "line": 12}, {"index": 1, "line": 14, "file": "other.hpp", "final": true}],
    "objects": [{"at": 32, "bytes": 24, "names": [["text", 13]], "states": ")" +
         states + R"("}],
    "values": [{"at": 56, "bytes": 4, "names": [["n", 12], ["left", 13]]}]})";
}

/// A coroutine as the debug information describes it.
coroutine described(std::uint64_t frame_bytes = 88) {
  coroutine made;
  made.linkage_name = "f";
  made.declared = {.file = "main.cpp", .line = 12};
  made.frame_bytes = frame_bytes;
  for (const auto& [offset, bytes] : {std::pair(16, 8), std::pair(32, 24), std::pair(56, 4)}) {
    auto& field = made.fields.emplace_back();
    field.offset = static_cast<std::uint64_t>(offset);
    field.bytes = static_cast<std::uint64_t>(bytes);
  }
  return made;
}

TEST(compiler_records, say_what_is_kept_where) {
  compiler_records records;
  records.add(record("f"));
  EXPECT_EQ(records.refused(), 0U);
  const auto* made = records.of(described());
  ASSERT_NE(made, nullptr);
  ASSERT_EQ(made->awaits.size(), 2U);
  EXPECT_EQ(made->awaits[1].index, 1U);
  EXPECT_EQ(made->awaits[1].where, (source_line{.file = "other.hpp", .line = 14}));
  EXPECT_TRUE(made->awaits[1].final);
  ASSERT_EQ(made->places.size(), 2U);
  EXPECT_THAT(made->places[0].states, ::testing::ElementsAre(byte_state::dead, byte_state::live));
  EXPECT_EQ(made->places[0].variables, (std::vector<compiler_record::variable>{{.name = "text", .line = 13}}));
  EXPECT_TRUE(made->places[1].states.empty());
  EXPECT_EQ(made->places[1].variables.size(), 2U);
}

TEST(compiler_records, are_joined_by_linkers_in_any_way) {
  compiler_records records;
  const std::string padding(3, end);
  records.add(record("g") + padding + record("f") + end + record("f") + end);
  EXPECT_EQ(records.size(), 2U);
  EXPECT_NE(records.of(described()), nullptr);
}

TEST(compiler_records, are_of_the_frame_that_they_fit) {
  compiler_records records;
  records.add(record("f"));
  EXPECT_NE(records.of(described(96)), nullptr);
  EXPECT_EQ(records.of(described(80)), nullptr);
  EXPECT_EQ(records.of(described(104)), nullptr);
  auto elsewhere = described();
  elsewhere.declared.line = 13;
  EXPECT_EQ(records.of(elsewhere), nullptr);
  auto other_layout = described();
  other_layout.fields[1].bytes = 16;
  EXPECT_EQ(records.of(other_layout), nullptr);
  auto other_name = described();
  other_name.linkage_name = "g";
  EXPECT_EQ(records.of(other_name), nullptr);
}

TEST(compiler_records, that_contradict_each_other_are_not_believed) {
  compiler_records records;
  records.add(record("f", "dl") + end + record("f", "dd"));
  EXPECT_EQ(records.of(described()), nullptr);
}

TEST(compiler_records, that_are_damaged_are_counted_and_left_out) {
  const auto damaged = [](const std::string& from, const std::string& to) {
    std::string text = record("g");
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  for (const std::string& bad : {
           std::string("{"),
           std::string("[1, 2]"),
           std::string("\xff\xfe"),
           std::string(100'000, '['),
           damaged(R"("line": 12)", R"("line": -1)"),
           damaged(R"("line": 12)", R"("line": "12")"),
           damaged(R"("line": 12)", R"("line": 99999999999)"),
           damaged(R"("frame": 96)", R"("frame": 1e300)"),
           damaged(R"("frame": 96)", R"("frame": 40)"),
           damaged(R"("align": 16)", R"("align": 0)"),
           damaged(R"("at": 32)", R"("at": 18446744073709551615)"),
           damaged(R"("bytes": 24)", R"("bytes": 0)"),
           damaged(R"("dl")", R"("dlh")"),
           damaged(R"("dl")", R"("dx")"),
           damaged(R"([["text", 13]])", R"([["text"]])"),
           damaged(R"([["text", 13]])", R"({"text": 13})"),
           damaged(R"("objects")", R"("things")"),
       }) {
    compiler_records records;
    records.add(bad + end + record("f"));
    EXPECT_EQ(records.refused(), 1U) << bad.substr(0, 300);
    EXPECT_EQ(records.size(), 1U) << bad.substr(0, 300);
    EXPECT_NE(records.of(described()), nullptr);
  }
}

}  // namespace
}  // namespace tare::inspect
