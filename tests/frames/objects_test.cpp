// The same three coroutines, from every kind of file that can contain them.

#include "inspect/coroutine/read.hpp"
#include "inspect/dwarf/source_path.hpp"
#include "inspect/facts/chain.hpp"
#include "support/paths.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace tare::inspect {
namespace {

namespace fs = std::filesystem;

fs::path folder() { return support::path::objects; }

const coroutine* find(const coroutine_report& report, const std::string& name) {
  const auto found = std::ranges::find_if(
      report.coroutines, [&](const coroutine& each) { return each.name.starts_with("corpus::" + name); });
  return found == report.coroutines.end() ? nullptr : &*found;
}

std::vector<std::string> link_names(const coroutine& of) {
  std::vector<std::string> names;
  for (const auto& each : of.links) names.push_back(each.name);
  return names;
}

class objects : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!fs::exists(folder() / "pie")) GTEST_SKIP() << "clang 22 is not installed, which builds the objects";
  }
};

TEST_P(objects, have_sizes_fields_lines_and_liveness) {
  const auto report = read_coroutines(folder() / GetParam());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->coroutines.size(), 3U);
  const coroutine* leaf = find(*report, "leaf");
  ASSERT_NE(leaf, nullptr);
  EXPECT_EQ(leaf->name, "corpus::leaf(int)");
  const auto reference = read_coroutines(folder() / "pie");
  ASSERT_TRUE(reference);
  const coroutine* same = find(*reference, "leaf");
  ASSERT_NE(same, nullptr);
  EXPECT_EQ(leaf->frame_bytes, same->frame_bytes);
  EXPECT_EQ(leaf->declared, same->declared);
  EXPECT_TRUE(leaf->declared.file.ends_with("small.cpp")) << leaf->declared.file;
  EXPECT_GT(leaf->promise_bytes, 0U);
  EXPECT_EQ(leaf->promise_bytes, same->promise_bytes);
  EXPECT_EQ(leaf->promise_type, same->promise_type);
  EXPECT_EQ(leaf->allocated_by, same->allocated_by);
  EXPECT_EQ(leaf->allocated_bytes, same->allocated_bytes);
  EXPECT_EQ(leaf->padding_bytes, same->padding_bytes);
  EXPECT_EQ(link_names(*leaf), link_names(*same));
  EXPECT_THAT(link_names(*leaf), ::testing::Contains("parent"));
  EXPECT_NE(leaf->resume_address, 0U);
  EXPECT_NE(leaf->destroy_address, 0U);
  ASSERT_EQ(leaf->awaits.size(), 3U);
  ASSERT_EQ(same->awaits.size(), 3U);
  EXPECT_EQ(leaf->awaits[0].kind, suspension::initial);
  EXPECT_EQ(leaf->awaits[1].kind, suspension::await);
  EXPECT_EQ(leaf->awaits[2].kind, suspension::final);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(leaf->awaits[i].where, same->awaits[i].where) << i;
    EXPECT_EQ(leaf->awaits[i].live_bytes, same->awaits[i].live_bytes) << i;
    EXPECT_EQ(leaf->awaits[i].known_by, evidence::machine_code) << i;
  }
  // The 100 bytes of `data` are alive across its await.
  EXPECT_GE(leaf->awaits[1].live_bytes + leaf->awaits[1].held_bytes, 100U);
  EXPECT_LT(leaf->awaits[0].live_bytes + leaf->awaits[0].held_bytes, 100U);
}

TEST_P(objects, have_the_budgets_of_the_source) {
  const auto report = read_coroutines(folder() / GetParam());
  ASSERT_TRUE(report) << report.error().message;
  const coroutine* leaf = find(*report, "leaf");
  const coroutine* middle = find(*report, "middle");
  const coroutine* top = find(*report, "top");
  ASSERT_TRUE(leaf != nullptr && middle != nullptr && top != nullptr);
  EXPECT_EQ(leaf->declared_budget, 64U);
  EXPECT_EQ(middle->declared_budget, std::nullopt);
  EXPECT_EQ(top->declared_budget, 4096U);
}

INSTANTIATE_TEST_SUITE_P(forms, objects,
                         ::testing::Values("object.o", "sections.o", "archive.a", "static", "pie", "shared.so",
                                           "compressed", "dwarf4", "type_units", "type_units_4", "simple_names",
                                           "split", "packed", "linked"),
                         [](const auto& of) {
                           std::string name = of.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

class damaged_objects : public objects {};

TEST_F(damaged_objects, a_debug_folder_is_searched_by_build_id) {
  const auto alone = read_coroutines(folder() / "by_id");
  ASSERT_TRUE(alone);
  EXPECT_TRUE(alone->coroutines.empty());
  const auto report = read_coroutines(folder() / "by_id", {.debug_folders = {folder() / "ids"}, .liveness = true});
  ASSERT_TRUE(report) << report.error().message;
  const coroutine* leaf = find(*report, "leaf");
  ASSERT_NE(leaf, nullptr);
  EXPECT_EQ(leaf->awaits.size(), 3U);
}

TEST_F(damaged_objects, without_descriptions_the_symbols_are_listed) {
  for (const char* name : {"symbols_only", "lines_only"}) {
    const auto report = read_coroutines(folder() / name);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->coroutines.size(), 3U) << name;
    for (const auto& each : report->coroutines) EXPECT_FALSE(each.frame_bytes);
    ASSERT_FALSE(report->notes.empty());
    EXPECT_THAT(report->notes.front(), ::testing::HasSubstr("-g"));
  }
}

TEST_F(damaged_objects, a_stripped_binary_says_so) {
  for (const char* name : {"stripped", "stripped_exporting", "stripped_locals"}) {
    for (const bool rust : {true, false}) {
      const auto report = read_coroutines(folder() / name, {.debug_folders = {}, .rust = rust});
      ASSERT_TRUE(report);
      EXPECT_TRUE(report->coroutines.empty()) << name;
      EXPECT_TRUE(report->stripped) << name;
      ASSERT_FALSE(report->notes.empty()) << name;
      EXPECT_THAT(report->notes.front(), ::testing::HasSubstr("stripped"));
      EXPECT_THAT(report->notes.front(), ::testing::HasSubstr("--debug-dir"));
    }
  }
  for (const char* name : {"pie", "symbols_only", "object.o", "described_locals"}) {
    const auto report = read_coroutines(folder() / name);
    ASSERT_TRUE(report);
    EXPECT_FALSE(report->stripped) << name;
  }
}

TEST_F(damaged_objects, descriptions_are_read_where_the_symbols_are_gone) {
  for (const bool rust : {true, false}) {
    const auto report = read_coroutines(folder() / "described_locals", {.debug_folders = {}, .rust = rust});
    ASSERT_TRUE(report);
    EXPECT_EQ(report->coroutines.size(), 3U);
  }
}

TEST_F(damaged_objects, what_is_no_binary_is_refused_in_one_line) {
  const auto problem = [](const fs::path& file) {
    const auto report = read_coroutines(file);
    EXPECT_FALSE(report) << file;
    return report ? std::string() : report.error().message;
  };
  EXPECT_THAT(problem(folder() / "text"), ::testing::HasSubstr("is not an ELF file"));
  EXPECT_THAT(problem(folder() / "empty"), ::testing::HasSubstr("is not an ELF file"));
  EXPECT_THAT(problem(folder() / "truncated"), ::testing::HasSubstr("truncated or damaged"));
  EXPECT_THAT(problem(folder()), ::testing::HasSubstr("is a folder"));
  EXPECT_THAT(problem(folder() / "nothing"), ::testing::HasSubstr("No such file"));
}

/// The files that are named for `leaf`: of its declaration and of its awaits.
std::set<std::string> files_of_leaf(const fs::path& binary) {
  std::set<std::string> files;
  const auto report = read_coroutines(binary);
  const coroutine* leaf = report ? find(*report, "leaf") : nullptr;
  if (leaf == nullptr) return files;
  files.insert(leaf->declared.file);
  for (const auto& one : leaf->awaits) files.insert(one.where.file);
  return files;
}

TEST_F(damaged_objects, a_replaced_beginning_of_paths_is_not_repeated) {
  const fs::path mapped = folder() / "mapped";
  using names = std::set<std::string>;
  EXPECT_EQ(files_of_leaf(mapped / "dot.o"), names{"source/small.cpp"});
  EXPECT_EQ(files_of_leaf(mapped / "project.o"), names{"project/source/small.cpp"});
  EXPECT_EQ(files_of_leaf(mapped / "relative.o"), names{"source/small.cpp"});
}

TEST(source_path, is_relative_to_the_folder_unless_both_begin_alike) {
  EXPECT_EQ(source_path("tests/one.cpp", "/home/me/build"), "/home/me/build/tests/one.cpp");
  EXPECT_EQ(source_path("../tests/one.cpp", "/home/me/build"), "/home/me/tests/one.cpp");
  EXPECT_EQ(source_path("./one.cpp", "/home/me"), "/home/me/one.cpp");
  EXPECT_EQ(source_path("/usr/include/one.hpp", "./build"), "/usr/include/one.hpp");
  EXPECT_EQ(source_path("./tests/one.cpp", "./build"), "tests/one.cpp");
  EXPECT_EQ(source_path("./tests/one.cpp", "."), "tests/one.cpp");
  EXPECT_EQ(source_path("../tests/one.cpp", "./build"), "tests/one.cpp");
  EXPECT_EQ(source_path("project/tests/one.cpp", "project/build"), "project/tests/one.cpp");
  EXPECT_EQ(source_path("tests/one.cpp", "project/build"), "project/build/tests/one.cpp");
  EXPECT_EQ(source_path("tests/one.cpp", ""), "tests/one.cpp");
  EXPECT_EQ(source_path("", "project"), "project/");
}

TEST_F(damaged_objects, chains_go_down_to_the_leaf) {
  const auto report = read_coroutines(folder() / "pie");
  ASSERT_TRUE(report);
  const chains ways(report->coroutines);
  const auto bytes = [&](const char* name) { return find(*report, name)->frame_bytes.value_or(0); };
  const auto index = [&](const char* name) {
    return static_cast<std::size_t>(find(*report, name) - report->coroutines.data());
  };
  EXPECT_GT(bytes("leaf"), 100U);
  EXPECT_EQ(ways.heaviest(index("leaf")), bytes("leaf"));
  // A callee that was merged into its caller is part of its frame, and no longer a child.
  EXPECT_GE(ways.heaviest(index("middle")), bytes("middle"));
  EXPECT_GE(ways.heaviest(index("top")), bytes("top"));
}

}  // namespace
}  // namespace tare::inspect
