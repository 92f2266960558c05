// Programs of the corpus compiled by clang with tare-frames-pass.so, compared with the same programs without it.

#include "inspect/coroutine/read.hpp"
#include "inspect/object/image_file.hpp"
#include "support/paths.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace tare::inspect {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view section_of_records = ".tare.frames";

fs::path program(std::string_view name) { return fs::path(support::path::corpus) / name; }

/// The loaded sections by name; several may have the same name.
std::multimap<std::string, std::string> loaded_sections(const fs::path& object) {
  std::multimap<std::string, std::string> all;
  auto file = image_file::open(object);
  EXPECT_TRUE(file) << object;
  if (!file) return all;
  const auto read = [&](const image& image) {
    for (const auto& section : image.file().sections()) {
      auto name = section.getName();
      auto content = section.getContents();
      EXPECT_TRUE(name && content);
      const bool loaded = (llvm::object::ELFSectionRef(section).getFlags() & llvm::ELF::SHF_ALLOC) != 0;
      if (name && content && loaded && !section.isVirtual()) {
        all.emplace(name->str(), content->str());
      }
      if (!name) llvm::consumeError(name.takeError());
      if (!content) llvm::consumeError(content.takeError());
    }
  };
  EXPECT_TRUE(file->for_each([&](image& image) { read(image); }, [](const std::string&) {}));
  return all;
}

class recorded : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(program("live-recorded-O2"))) GTEST_SKIP() << "the plugin was not built";
  }
};

TEST_F(recorded, the_code_is_the_same) {
  std::size_t compared = 0;
  for (const char* level : {"O0", "O2", "O3"}) {
    for (const char* source : {"hand", "live"}) {
      const auto with = program(std::string(source) + "-recorded-" + level + ".o");
      const auto without = program(std::string(source) + "-clang-" + level + ".o");
      if (!fs::exists(with) || !fs::exists(without)) continue;
      const auto sections = loaded_sections(with);
      EXPECT_GT(sections.size(), 10U);
      EXPECT_TRUE(sections == loaded_sections(without)) << with;
      ++compared;
    }
  }
  EXPECT_GE(compared, 2U);
}

TEST_F(recorded, every_coroutine_is_recorded) {
  for (const char* name : {"hand-recorded-O2", "live-recorded-O2"}) {
    const auto report = read_coroutines(program(name));
    ASSERT_TRUE(report);
    EXPECT_THAT(report->notes, ::testing::IsEmpty());
    std::size_t awaits = 0;
    std::string others;
    for (const auto& each : report->coroutines) {
      for (const auto& await : each.awaits) {
        ++awaits;
        if (await.known_by != evidence::compiler) others += "  " + each.name + "\n";
      }
    }
    EXPECT_GT(awaits, 100U);
    EXPECT_EQ(others, "") << name;
  }
}

TEST_F(recorded, objects_are_called_by_their_names) {
  const auto report = read_coroutines(program("live-recorded-O2"));
  ASSERT_TRUE(report);
  const auto found = std::ranges::find(report->coroutines, "corpus::two_after_each_other()", &coroutine::name);
  ASSERT_NE(found, report->coroutines.end());
  std::vector<std::string> kept;
  for (const auto& await : found->awaits) {
    for (const auto& variable : await.variables) {
      if (variable.type == "corpus::block" && variable.state == byte_state::live) kept.push_back(variable.name);
    }
  }
  // Both have the same place in the frame.
  EXPECT_THAT(kept, ::testing::ElementsAre("first", "second"));
}

TEST_F(recorded, a_damaged_record_is_reported_and_the_others_are_used) {
  const support::temporary_folder folder;
  std::string content = support::read_file(program("live-recorded-O2"));
  const auto at = content.find(R"({"align":)");
  ASSERT_NE(at, std::string::npos);
  content[at] = '?';
  const auto report = read_coroutines(folder.write("damaged", content));
  ASSERT_TRUE(report);
  EXPECT_THAT(report->notes, ::testing::ElementsAre(::testing::HasSubstr(
                                 "1 of the compiler's records in .tare.frames cannot be read and are ignored")));
  const auto is_recorded = [](const coroutine& coroutine) {
    return std::ranges::any_of(coroutine.awaits,
                               [](const auto& await) { return await.known_by == evidence::compiler; });
  };
  EXPECT_EQ(std::ranges::count_if(report->coroutines, is_recorded), std::ssize(report->coroutines) - 1);
}

TEST_F(recorded, takes_nothing_of_the_memory_of_a_process) {
  auto file = image_file::open(program("live-recorded-O2"));
  ASSERT_TRUE(file);
  std::size_t seen = 0;
  ASSERT_TRUE(file->for_each(
      [&](image& image) {
        seen += image.unloaded_sections_named(section_of_records).size();
        EXPECT_THAT(image.sections_named(section_of_records), ::testing::IsEmpty());
      },
      [](const std::string& problem) { ADD_FAILURE() << problem; }));
  EXPECT_EQ(seen, 1U);
}

}  // namespace
}  // namespace tare::inspect
