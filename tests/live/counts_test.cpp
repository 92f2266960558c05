// What is seen from outside equals what the program knows about itself: nothing is missing, and nothing is invented.

#include "base/proc/memory.hpp"
#include "inspect/live/target.hpp"
#include "live/program.hpp"
#include "support/paths.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <sstream>

namespace {

using namespace live_test;
using tare::inspect::live_target;

std::vector<std::string> all_targets() {
  std::vector<std::string> all;
  std::istringstream list(support::path::live_list);
  for (std::string each; std::getline(list, each, ':');) all.push_back(each);
  return all;
}

std::string name_of(const testing::TestParamInfo<std::string>& info) {
  std::string name = std::filesystem::path(info.param).filename();
  for (char& letter : name) {
    if (letter == '-') letter = '_';
  }
  return name;
}

class live_counts : public testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] bool is(std::string_view what) const { return GetParam().contains("/" + std::string(what) + "-"); }
  /// Frames of the library itself, in addition to those that the program lists.
  [[nodiscard]] std::uint64_t of_library(const counts& announced) const {
    if (is("asio"))
      return 2 * announced.at("root");  // the spawned entry point, and the operation that the timer is given
    return is("ours") ? 1 : 0;          // the task that keeps the outcome for run()
  }
};

TEST_P(live_counts, are_what_the_program_knows) {
  const auto program = start({GetParam()});
  auto target = live_target::of_process(program.running.pid());
  ASSERT_TRUE(target) << target.error().message;
  const auto snapshot = target->snapshot();
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  auto expected = program.announced;
  if (const auto own = of_library(program.announced); own != 0) expected[""] = own;
  EXPECT_EQ(seen(*snapshot, program.announced), expected);
  EXPECT_EQ(snapshot->uncertain, 0U);
  EXPECT_GT(snapshot->rss_bytes, snapshot->frame_bytes);
  // The parts add up to the resident memory that the kernel reports.
  const std::array<pid_t, 1> process{static_cast<pid_t>(program.running.pid())};
  const auto held = tare::base::read_memory(process);
  ASSERT_TRUE(held);
  EXPECT_EQ(snapshot->rss_bytes, held->resident);
  const auto& memory = snapshot->memory;
  EXPECT_EQ(memory.sum(), snapshot->rss_bytes);
  EXPECT_LE(memory.frames, snapshot->frame_bytes);
  EXPECT_GT(memory.frames, snapshot->frame_bytes - snapshot->frame_bytes / 10);
  EXPECT_LT(memory.rest, snapshot->rss_bytes / 10);
  EXPECT_GT(memory.binaries, 0U);
  EXPECT_GT(memory.stacks, 0U);
  EXPECT_GT(memory.malloc_used, 0U);
  EXPECT_EQ(memory.runtime != 0, is("ours"));
  EXPECT_EQ(snapshot->pid, program.running.pid());
  EXPECT_EQ(snapshot->command, GetParam());
  // Each is at a place in the program's source, and known as what it is.
  for (const auto& site : snapshot->sites) {
    const auto name = bare_name(site.function);
    EXPECT_NE(site.where.line, 0U) << site.function;
    using tare::inspect::suspension;
    EXPECT_EQ(site.kind, name == "unstarted"  ? suspension::initial
                         : name == "finished" ? suspension::final
                                              : suspension::await)
        << site.function << " in line " << site.where.line;
    EXPECT_EQ(site.total_bytes, site.merged ? 0 : site.count * site.frame_bytes) << site.function;
  }

  auto paused = live_target::of_process(program.running.pid(), {.longest_pause = std::chrono::seconds(30)});
  ASSERT_TRUE(paused) << paused.error().message;
  const auto stopped = paused->snapshot();
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_GT(stopped->paused_seconds, 0);
  EXPECT_EQ(seen(*stopped, program.announced), expected);
}

TEST_P(live_counts, add_up_along_the_ways_from_the_roots) {
  const auto program = start({GetParam()});
  auto target = live_target::of_process(program.running.pid(), {.stacks = true});
  ASSERT_TRUE(target) << target.error().message;
  const auto snapshot = target->snapshot();
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  const auto found = ways(*snapshot);
  std::string before;
  if (is("asio"))
    before =
        "co_spawn_entry_point<asio::any_io_executor, asio::detail::awaitable_as_function<void>, "
        "asio::detail::detached_handler>/";
  if (is("ours")) before = "keep_outcome<void>/everything/";
  const auto count = [&](const std::string& way) {
    std::uint64_t sum = 0;
    // Asio's names differ by compiler in how they are written.
    for (const auto& [path, frames] : found) {
      if (path == before + way || (is("asio") && path.ends_with("/" + way))) sum += frames;
    }
    return sum;
  };
  EXPECT_EQ(count("root"), program.announced.at("root"));
  EXPECT_EQ(count("root/middle"), program.announced.at("middle"));
  EXPECT_EQ(count("root/middle/leaf"), program.announced.at("leaf"));
  if (is("ours")) {
    // A scope's tasks are below the owner of the scope, also those on another shard; so are the branches of when_any.
    EXPECT_EQ(count("sleeper") + count("first_of_two/sleeper"), program.announced.at("sleeper"));
    EXPECT_EQ(count("first_of_two/sleeper"), 2 * program.announced.at("first_of_two"));
    EXPECT_EQ(count("locked"), program.announced.at("locked"));
  }
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::uint64_t of_roots = 0;
  for (const auto& node : snapshot->stacks) {
    frames += node.count;
    bytes += node.bytes;
    if (node.parent == tare::inspect::stack_node::no_parent) of_roots += node.bytes_with_below;
  }
  EXPECT_EQ(frames, snapshot->frames);
  EXPECT_EQ(bytes, snapshot->frame_bytes);
  EXPECT_EQ(of_roots, snapshot->frame_bytes);
}

INSTANTIATE_TEST_SUITE_P(targets, live_counts, testing::ValuesIn(all_targets()), name_of);

}  // namespace
