// The boxed futures of targets/boxed.rs: what is seen equals what the program knows.

#include "inspect/live/target.hpp"
#include "live/program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace live_test;
using tare::inspect::live_target;
using tare::inspect::suspension;
using testing::HasSubstr;

class live_rust : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(target(GetParam()))) GTEST_SKIP() << "rustc is not installed, so there is no program";
    program_.emplace(start({target(GetParam())}));
    auto opened = live_target::of_process(program_->running.pid(), {.stacks = true, .rust = true});
    ASSERT_TRUE(opened) << opened.error().message;
    target_.emplace(std::move(*opened));
    auto taken = target_->snapshot();
    ASSERT_TRUE(taken) << taken.error().message;
    snapshot_ = std::move(*taken);
  }

  std::optional<program> program_;
  std::optional<live_target> target_;
  tare::inspect::live_snapshot snapshot_;
};

TEST_P(live_rust, boxed_futures_are_what_the_program_knows) {
  EXPECT_EQ(seen(snapshot_, program_->announced), program_->announced);
  EXPECT_EQ(snapshot_.uncertain, 0U);
  EXPECT_THAT(snapshot_.notes, testing::Contains(HasSubstr("experiment")));
  EXPECT_THAT(snapshot_.notes, testing::Contains(HasSubstr("1000 boxed futures have returned or panicked")));
}

TEST_P(live_rust, they_are_at_their_awaits) {
  std::vector<std::uint64_t> counts_of_places;
  for (const auto& site : snapshot_.sites) {
    const auto name = bare_name(site.function);
    EXPECT_EQ(site.kind, name == "unstarted" ? suspension::initial : suspension::await) << site.function;
    if (name == "ByHand") continue;  // rustc does not say where types are declared
    EXPECT_TRUE(site.where.file.ends_with("boxed.rs")) << site.function;
    EXPECT_NE(site.where.line, 0U) << site.function;
    if (name == "two_places") counts_of_places.push_back(site.count);
    if (name == "large") {
      EXPECT_GE(site.frame_bytes, 300'000U);
    }
  }
  EXPECT_EQ(counts_of_places, (std::vector<std::uint64_t>{10'000, 10'000}));
}

TEST_P(live_rust, a_future_waits_for_the_box_that_it_awaits) {
  const auto found = ways(snapshot_);
  EXPECT_EQ(found.at("outer"), program_->announced.at("outer"));
  EXPECT_EQ(found.at("outer/leaf"), program_->announced.at("leaf"));
  EXPECT_FALSE(found.contains("leaf"));
}

TEST_P(live_rust, one_of_them_shows_its_variables) {
  const auto listed = target_->list([](const std::string& name) { return name.ends_with("two_places"); }, 1);
  ASSERT_TRUE(listed) << listed.error().message;
  ASSERT_EQ(listed->size(), 1U);
  const auto view = target_->frame(listed->front().address);
  ASSERT_TRUE(view) << view.error().message;
  const auto kept = std::ranges::find(view->fields, "kept", &tare::inspect::field_value::name);
  ASSERT_NE(kept, view->fields.end());
  EXPECT_EQ(kept->bytes, 40U);
  EXPECT_THAT(kept->value, HasSubstr("5 in all]"));
}

TEST_P(live_rust, they_are_only_looked_for_when_asked) {
  auto opened = live_target::of_process(program_->running.pid());
  ASSERT_TRUE(opened) << opened.error().message;
  const auto taken = opened->snapshot();
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->frames, 0U);
}

INSTANTIATE_TEST_SUITE_P(targets, live_rust, testing::Values("boxed-rustc-O0", "boxed-rustc-O2"),
                         [](const auto& info) { return std::string(info.param).substr(12); });

}  // namespace
