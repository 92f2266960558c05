// Coroutines that a compiler does not describe completely: forms.cpp marks where each is declared and where it awaits.

#include "inspect/coroutine/read.hpp"
#include "support/paths.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tare::inspect {
namespace {

namespace fs = std::filesystem;

struct marked_coroutine {
  source_line declared;
  std::vector<std::uint32_t> awaits;
};

/// By the name of the mark.
std::map<std::string, marked_coroutine> marked() {
  std::map<std::string, marked_coroutine> all;
  const std::regex mark("// (coroutine|await) ([a-z_]+)$");
  for (const char* name : {"forms.cpp", "forms.hpp"}) {
    const fs::path file = fs::path(support::path::corpus_sources) / name;
    std::ifstream in(file);
    std::uint32_t number = 0;
    for (std::string line; std::getline(in, line);) {
      ++number;
      std::smatch match;
      if (!std::regex_search(line, match, mark)) continue;
      auto& current = all[match[2]];
      if (match[1] == "await") {
        current.awaits.push_back(number);
      } else {
        current.declared = {.file = file.string(), .line = number};
      }
    }
  }
  return all;
}

std::string describe(const coroutine& coroutine) {
  return coroutine.name + " at " + coroutine.declared.file + ":" + std::to_string(coroutine.declared.line);
}

class forms : public ::testing::TestWithParam<const char*> {
 protected:
  static fs::path file(const char* name) { return fs::path(support::path::forms) / name; }

  void SetUp() override {
    if (!fs::exists(file(GetParam()))) GTEST_SKIP() << "its compiler is not installed";
    auto read = read_coroutines(file(GetParam()));
    ASSERT_TRUE(read) << read.error().message;
    report_ = std::move(*read);
  }

  /// The coroutines declared at this mark: more than one if it is in two units.
  [[nodiscard]] std::vector<const coroutine*> at(const std::string& mark) const {
    std::vector<const coroutine*> found;
    const auto wanted = marked()[mark].declared;
    for (const auto& each : report_.coroutines) {
      if (each.declared == wanted) found.push_back(&each);
    }
    return found;
  }

  coroutine_report report_;
};

TEST_P(forms, all_are_found_where_they_are_declared_with_their_size) {
  const auto marks = marked();
  ASSERT_GE(marks.size(), 16U);
  EXPECT_THAT(report_.notes, ::testing::IsEmpty());
  const bool two_units = std::string_view(GetParam()).ends_with("lto");
  for (const auto& [name, mark] : marks) {
    const auto found = at(name);
    EXPECT_GE(found.size(), 1U) << name;
    EXPECT_LE(found.size(), two_units ? 2U : 1U) << name;
  }
  for (const auto& each : report_.coroutines) {
    const bool known =
        std::ranges::any_of(marks, [&](const auto& mark) { return mark.second.declared == each.declared; });
    EXPECT_TRUE(known) << describe(each);
    EXPECT_TRUE(each.frame_bytes) << describe(each);
    EXPECT_TRUE(each.is_described()) << describe(each);
    EXPECT_GT(each.promise_bytes, 0U) << describe(each);
    EXPECT_TRUE(each.promise_type.starts_with("forms::")) << describe(each) << ": " << each.promise_type;
  }
}

TEST_P(forms, awaits_are_on_the_lines_of_the_source) {
  for (const auto& [name, mark] : marked()) {
    for (const auto* each : at(name)) {
      std::vector<std::uint32_t> lines;
      for (const auto& await : each->awaits) {
        if (await.kind != suspension::await) continue;
        EXPECT_EQ(await.where.file, mark.declared.file) << describe(*each);
        lines.push_back(await.where.line);
      }
      EXPECT_EQ(lines, mark.awaits) << describe(*each);
    }
  }
}

TEST_P(forms, one_suspension_is_before_the_body_and_one_after_it) {
  const bool optimized = !std::string_view(GetParam()).contains("-O0");
  for (const auto& [name, mark] : marked()) {
    for (const auto* each : at(name)) {
      const auto count = [&](suspension kind) { return std::ranges::count(each->awaits, kind, &await_point::kind); };
      EXPECT_EQ(count(suspension::initial), 1) << describe(*each);
      // A coroutine that never suspends at its end has a final suspension point only without optimization.
      if (name != "unattended") {
        EXPECT_EQ(count(suspension::final), 1) << describe(*each);
      } else if (optimized) {
        EXPECT_EQ(count(suspension::final), 0) << describe(*each);
      }
    }
  }
}

TEST_P(forms, names_are_whole) {
  const auto ends_with = [&](const char* mark, const std::string& end) {
    for (const auto* each : at(mark)) {
      EXPECT_THAT(each->name, ::testing::EndsWith(end));
      EXPECT_THAT(each->name, ::testing::StartsWith("forms::"));
    }
  };
  ends_with("inner", "around(int)::{lambda}::operator()(int, long)");
  ends_with("local", "::{lambda}::operator()(int)");
  ends_with("in_template", "forms::has_lambda<int>(int)::{lambda}::operator()(int)");
  ends_with("on_local_type",
            "on_local_type<forms::member_of_local_class(int)::local_class>(forms::member_of_local_class("
            "int)::local_class)");
  ends_with("member", "forms::member_of_local_class(int)::local_class::member(int)");
}

TEST_P(forms, allocators_of_promises_are_seen) {
  for (const auto* each : at("from_pool")) EXPECT_EQ(each->allocated_by, allocation::unknown) << describe(*each);
  for (const auto* each : at("of_unit")) EXPECT_EQ(each->allocated_by, allocation::malloc) << describe(*each);
}

TEST_P(forms, parameters_of_gcc_are_no_variables_of_the_body) {
  if (!std::string_view(GetParam()).starts_with("gcc")) GTEST_SKIP() << "clang keeps no names of these";
  for (const auto* each : at("from_pool")) {
    std::set<std::string> seen;
    for (const auto& await : each->awaits) {
      for (const auto& variable : await.variables) {
        if (variable.name != "first" && variable.name != "second") continue;
        EXPECT_EQ(variable.kind, field_kind::parameter) << describe(*each) << ": " << variable.name;
        seen.insert(variable.name);
      }
    }
    EXPECT_THAT(seen, ::testing::ElementsAre("first", "second")) << describe(*each);
  }
}

INSTANTIATE_TEST_SUITE_P(of, forms,
                         ::testing::Values("clang-O0.o", "clang-O2.o", "clang-types.o", "clang-lto", "gcc-O0.o",
                                           "gcc-O2.o", "gcc-types.o", "gcc-lto"),
                         [](const auto& of) {
                           std::string name = of.param;
                           std::ranges::replace_if(name, [](char c) { return c == '-' || c == '.'; }, '_');
                           return name;
                         });

TEST(forms_without_their_dwo_file, say_that_it_is_missing) {
  for (const char* kind : {"clang", "gcc"}) {
    const fs::path file = fs::path(support::path::forms) / (std::string(kind) + "-lost.o");
    if (!fs::exists(file)) continue;
    const auto report = read_coroutines(file);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_GE(report->coroutines.size(), 16U);
    ASSERT_THAT(report->notes, ::testing::SizeIs(1)) << file;
    EXPECT_THAT(report->notes.front(), ::testing::HasSubstr("the split debug information "));
    EXPECT_THAT(report->notes.front(), ::testing::HasSubstr(std::string(kind) + "-lost.dwo is missing"));
  }
}

}  // namespace
}  // namespace tare::inspect
