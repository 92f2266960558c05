// How older compilers describe coroutines: fixtures/small.cpp built by several versions of clang. A program that called
// its coroutines printed the sizes that they requested from operator new. fixtures/spilled.cpp likewise.

#include "inspect/coroutine/read.hpp"
#include "support/paths.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace tare::inspect {
namespace {

struct fixture {
  const char* file;
  std::uint64_t leaf;  ///< requested bytes
  std::uint64_t twice;
  bool described;  ///< the compiler wrote a type for the frame
  friend void PrintTo(const fixture& fixture, std::ostream* out) { *out << fixture.file; }
};

class fixtures : public ::testing::TestWithParam<fixture> {
 protected:
  void SetUp() override {
    auto read = read_coroutines(std::filesystem::path(support::path::fixtures) / GetParam().file);
    ASSERT_TRUE(read) << read.error().message;
    report_ = std::move(*read);
    ASSERT_EQ(report_.coroutines.size(), 2U);
    std::ranges::sort(report_.coroutines, {}, &coroutine::name);
    ASSERT_EQ(leaf().name, "leaf(int)");
    ASSERT_EQ(twice().name, "twice(int)");
  }
  const coroutine& leaf() const { return report_.coroutines[0]; }
  const coroutine& twice() const { return report_.coroutines[1]; }
  coroutine_report report_;
};

std::vector<std::uint32_t> await_lines(const coroutine& coroutine) {
  std::vector<std::uint32_t> lines;
  for (const auto& await : coroutine.awaits) {
    if (await.kind == suspension::await) lines.push_back(await.where.line);
  }
  return lines;
}

TEST_P(fixtures, have_their_size_and_their_place) {
  EXPECT_EQ(leaf().frame_bytes, GetParam().leaf);
  EXPECT_EQ(twice().frame_bytes, GetParam().twice);
  EXPECT_EQ(leaf().declared.line, 27U);
  EXPECT_EQ(twice().declared.line, 34U);
  EXPECT_THAT(leaf().declared.file, ::testing::EndsWith("small.cpp"));
}

TEST_P(fixtures, have_their_awaits_where_the_frame_is_described) {
  EXPECT_EQ(leaf().is_described(), GetParam().described);
  EXPECT_EQ(twice().is_described(), GetParam().described);
  if (!GetParam().described) {
    EXPECT_THAT(leaf().awaits, ::testing::IsEmpty());
    // It is reported once, not for each of them.
    ASSERT_THAT(report_.notes, ::testing::SizeIs(1));
    EXPECT_THAT(report_.notes.front(), ::testing::HasSubstr("2 of its coroutines have no description of their frame"));
    return;
  }
  EXPECT_THAT(report_.notes, ::testing::IsEmpty());
  EXPECT_THAT(await_lines(leaf()), ::testing::ElementsAre(30));
  EXPECT_THAT(await_lines(twice()), ::testing::ElementsAre(35, 37));
  const auto& await = leaf().awaits[1];
  EXPECT_EQ(await.known_by, evidence::machine_code);
  EXPECT_TRUE(std::ranges::any_of(await.variables, [](const variable_at_await& variable) {
    return variable.name == "data" && variable.bytes == 100 && variable.state != byte_state::dead;
  }));
}

class spilled_pointers : public ::testing::Test {
 protected:
  void read(const read_options& options) {
    auto report = read_coroutines(std::filesystem::path(support::path::fixtures) / "clang-16/spilled-O2.so", options);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_THAT(report->notes, ::testing::IsEmpty());
    report_ = std::move(*report);
  }

  /// The size of a frame that contains no other one.
  std::uint64_t size_of(std::string_view name) const {
    const auto found = std::ranges::find(report_.coroutines, name, &coroutine::name);
    EXPECT_NE(found, report_.coroutines.end()) << name;
    if (found == report_.coroutines.end()) return 0;
    EXPECT_TRUE(std::ranges::none_of(found->fields, [&](const frame_field& field) {
      return field.kind == field_kind::child || field.offset + field.bytes > found->frame_bytes;
    })) << name;
    return found->frame_bytes.value_or(0);
  }

 private:
  coroutine_report report_;
};

TEST_F(spilled_pointers, are_no_frames) {
  read({});
  EXPECT_EQ(size_of("child(int)"), 112U);
  EXPECT_EQ(size_of("mapped(int)"), 40U);
  EXPECT_EQ(size_of("last()"), 32U);
}

TEST_F(spilled_pointers, are_no_frames_where_other_fields_follow_and_the_code_is_not_read) {
  read({.debug_folders = {}, .code = false});
  EXPECT_EQ(size_of("child(int)"), 112U);
  EXPECT_EQ(size_of("mapped(int)"), 40U);
}

INSTANTIATE_TEST_SUITE_P(compilers, fixtures,
                         ::testing::Values(fixture{"clang-14/small-O2.so", 136, 40, false},
                                           fixture{"clang-15/small-O2.so", 136, 40, true},
                                           fixture{"clang-16/small-O2.so", 136, 40, true},
                                           fixture{"clang-19/small-O0.so", 136, 48, true},
                                           fixture{"clang-19/small-O2.so", 136, 40, false}),
                         [](const auto& of) {
                           std::string name = of.param.file;
                           std::ranges::replace_if(name, [](char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace tare::inspect
