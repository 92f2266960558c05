// Advice about the coroutines of corpus/advice.cpp. Each coroutine with advice is beside one that follows it, so the
// predicted saving is compared with the real one.

#include "inspect/facts/advice.hpp"

#include "inspect/coroutine/read.hpp"
#include "support/paths.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace tare::inspect {
namespace {

namespace fs = std::filesystem;

class advice_on : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const fs::path program = fs::path(support::path::corpus) / GetParam();
    if (!fs::exists(program)) GTEST_SKIP() << program << " was not built";
    auto read = read_coroutines(program);
    ASSERT_TRUE(read) << read.error().message;
    report_ = std::move(*read);
  }
  const coroutine& find(const std::string& name) const {
    static const coroutine none;
    const auto found = std::ranges::find_if(
        report_.coroutines, [&](const coroutine& each) { return each.name.contains("corpus::" + name + "("); });
    EXPECT_NE(found, report_.coroutines.end()) << name;
    return found == report_.coroutines.end() ? none : *found;
  }
  std::uint64_t frame(const std::string& name) const { return find(name).frame_bytes.value_or(0); }
  bool is_clang() const { return std::string(GetParam()).contains("clang"); }
  bool is_optimized() const { return std::string(GetParam()).ends_with("O2"); }

  coroutine_report report_;
};

/// The advice about one of them that contains this word.
std::vector<advice> about(const coroutine& coroutine, const std::string& word) {
  auto all = advise(coroutine);
  std::erase_if(all, [&](const advice& each) { return !each.message.contains(word); });
  return all;
}

TEST_P(advice_on, members_in_another_order_saves_what_it_says) {
  for (const std::string name : {"keeps", "keeps_many"}) {
    const auto found = about(find(name + "<corpus::loose>"), "ordered by alignment");
    ASSERT_THAT(found, ::testing::SizeIs(1)) << name;
    EXPECT_TRUE(found[0].certain);
    EXPECT_EQ(found[0].bytes, frame(name + "<corpus::loose>") - frame(name + "<corpus::tight>")) << name;
    EXPECT_THAT(found[0].message, ::testing::HasSubstr("corpus::loose takes fewer"));
    EXPECT_THAT(found[0].where.file, ::testing::EndsWith("advice.cpp"));
  }
}

TEST_P(advice_on, members_are_left_alone_where_nothing_is_certain) {
  for (const char* name : {"keeps<corpus::tight>", "keeps<corpus::as_small_as_it_gets>", "keeps<corpus::with_base>",
                           "keeps<corpus::packed>"}) {
    EXPECT_THAT(about(find(name), "alignment"), ::testing::IsEmpty()) << name;
  }
  // An object that is destroyed before the await is in the frame only if the compiler does not optimize.
  if (is_clang() && is_optimized()) {
    EXPECT_THAT(about(find("drops<corpus::loose>"), "alignment"), ::testing::IsEmpty());
  }
}

TEST_P(advice_on, a_merged_child_is_better_kept_apart) {
  const auto found = about(find("awaits_heavy"), "was merged into this one");
  if (!is_clang() || !is_optimized()) {
    EXPECT_THAT(found, ::testing::IsEmpty());
    return;
  }
  ASSERT_THAT(found, ::testing::SizeIs(1));
  EXPECT_EQ(found[0].bytes, frame("heavy") - 8) << "a handle stays";
  EXPECT_THAT(found[0].message, ::testing::StartsWith("the frame of corpus::heavy(int) was merged"));
  EXPECT_EQ(found[0].where, find("awaits_heavy").awaits[1].where);
  // If the child is not merged, its handle and its awaiter are here.
  const std::uint64_t saved = frame("awaits_heavy") - frame("awaits_heavy_apart");
  EXPECT_GE(saved + 16, found[0].bytes);
  EXPECT_LE(saved, found[0].bytes);
  EXPECT_THAT(about(find("awaits_heavy_apart"), "merged"), ::testing::IsEmpty());
  EXPECT_THAT(about(find("only_awaits_heavy"), "merged"), ::testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(compilers, advice_on,
                         ::testing::Values("advice-clang-O2", "advice-gcc-O2", "advice-clang-O0", "advice-gcc-O0"),
                         [](const auto& of) {
                           std::string name = of.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tare::inspect
