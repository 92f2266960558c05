// Core files as the kernel writes them.

#include "inspect/live/target.hpp"
#include "live/program.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <elf.h>

#include <csignal>
#include <fstream>
#include <ios>

namespace {

using namespace live_test;
using tare::inspect::live_target;
using testing::HasSubstr;

class live_core : public testing::Test {
 protected:
  void SetUp() override {
    const auto pattern = support::read_file("/proc/sys/kernel/core_pattern");
    if (pattern.starts_with('|') || pattern.starts_with('/')) {
      GTEST_SKIP() << "core files go elsewhere here: " << pattern;
    }
  }

  /// Starts a program, lets it dump core, and returns the file.
  std::filesystem::path dump(const std::string& name) {
    auto program = start({"sh", "-c", "ulimit -c unlimited && exec " + target(name) + " 4000"}, folder_.path());
    announced_ = program.announced;
    ::kill(program.running.pid(), SIGABRT);
    return wait_for_core(program);
  }

  template <class Program>
  std::filesystem::path wait_for_core(Program& program) {
    const auto end = std::chrono::steady_clock::now() + patience;
    const auto ended = tare::measure::listen(program.running, end, -1, [](auto) { return false; });
    if (!ended || !ended->ended) throw std::runtime_error("it did not end");
    for (const auto& file : std::filesystem::directory_iterator(folder_.path())) {
      if (file.path().filename().string().starts_with("core")) return file.path();
    }
    throw std::runtime_error("no core file");
  }

  support::temporary_folder folder_;
  counts announced_;
};

TEST_F(live_core, counts_as_the_running_process_does) {
  const auto core = dump("hand_written-clang-O2");
  auto target_of_core = live_target::of_core(core);
  ASSERT_TRUE(target_of_core) << target_of_core.error().message;
  const auto snapshot = target_of_core->snapshot();
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_EQ(seen(*snapshot, announced_), announced_);
  EXPECT_EQ(snapshot->uncertain, 0U);
  EXPECT_EQ(snapshot->command, target("hand_written-clang-O2"));
}

/// gdb writes no program header for memory that it omits, such as code: the kernel's core file
/// without those headers is the same.
void leave_out_code(const std::filesystem::path& core) {
  std::fstream file(core, std::ios::binary | std::ios::in | std::ios::out);
  Elf64_Ehdr head{};
  file.read(reinterpret_cast<char*>(&head), sizeof head);
  std::size_t left_out = 0;
  for (std::size_t i = 0; i < head.e_phnum; ++i) {
    const auto place = static_cast<std::streamoff>(head.e_phoff + i * sizeof(Elf64_Phdr));
    Elf64_Phdr segment{};
    file.seekg(place);
    file.read(reinterpret_cast<char*>(&segment), sizeof segment);
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    segment.p_type = PT_NULL;
    file.seekp(place);
    file.write(reinterpret_cast<const char*>(&segment), sizeof segment);
    ++left_out;
  }
  ASSERT_TRUE(file);
  ASSERT_GT(left_out, 2U);
}

TEST_F(live_core, needs_no_code_in_the_file) {
  const auto core = dump("hand_written-clang-O2");
  leave_out_code(core);
  auto target_of_core = live_target::of_core(core);
  ASSERT_TRUE(target_of_core) << target_of_core.error().message;
  const auto snapshot = target_of_core->snapshot();
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_EQ(seen(*snapshot, announced_), announced_);
  EXPECT_EQ(snapshot->command, target("hand_written-clang-O2"));
}

TEST_F(live_core, says_that_its_program_is_elsewhere) {
  const auto copy = folder_ / "moved";
  std::filesystem::copy_file(target("hand_written-clang-O2"), copy);
  auto program = start({"sh", "-c", "ulimit -c unlimited && exec " + copy.string() + " 4000"}, folder_.path());
  ::kill(program.running.pid(), SIGABRT);
  const auto core = wait_for_core(program);
  std::filesystem::rename(copy, folder_ / "elsewhere");
  for (const bool with_code : {true, false}) {
    if (!with_code) leave_out_code(core);
    auto opened = live_target::of_core(core);
    ASSERT_TRUE(opened) << opened.error().message;
    const auto snapshot = opened->snapshot();
    ASSERT_TRUE(snapshot) << snapshot.error().message;
    EXPECT_THAT(snapshot->notes, testing::Contains(HasSubstr("--exe names the program")));
    EXPECT_EQ(snapshot->command, "moved");
    auto named = live_target::of_core(core, folder_ / "elsewhere");
    ASSERT_TRUE(named) << named.error().message;
    EXPECT_EQ(seen(*named->snapshot(), program.announced), program.announced);
  }
}

TEST_F(live_core, takes_the_program_from_elsewhere) {
  const auto core = dump("hand_written-gcc-O2");
  const auto copy = folder_ / "copy";
  std::filesystem::copy_file(target("hand_written-gcc-O2"), copy);
  auto named = live_target::of_core(core, copy);
  ASSERT_TRUE(named) << named.error().message;
  const auto snapshot = named->snapshot();
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_EQ(seen(*snapshot, announced_), announced_);
  EXPECT_EQ(snapshot->command, copy);

  const auto other = live_target::of_core(core, target("hand_written-clang-O2"));
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("is not the program that wrote the core file"));
  const auto none = live_target::of_core(core, folder_ / "none");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("No such file"));
}

TEST_F(live_core, is_read_as_far_as_it_goes) {
  const auto core = dump("hand_written-clang-O2");
  const auto bytes = std::filesystem::file_size(core);
  std::filesystem::resize_file(core, bytes / 2);
  auto cut = live_target::of_core(core);
  ASSERT_TRUE(cut) << cut.error().message;
  const auto snapshot = cut->snapshot();
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_THAT(snapshot->notes, testing::Contains(HasSubstr("is truncated")));
  EXPECT_LT(snapshot->scanned_bytes, bytes / 2 + 1);

  std::filesystem::resize_file(core, 4096);
  const auto nothing = live_target::of_core(core);
  ASSERT_FALSE(nothing);
  EXPECT_THAT(nothing.error().message, HasSubstr("it is truncated"));
}

TEST(live_core_file, has_to_be_one) {
  const support::temporary_folder folder;
  const auto message = [](const std::filesystem::path& file) {
    const auto opened = live_target::of_core(file);
    return opened ? std::string("opened") : opened.error().message;
  };
  EXPECT_THAT(message(folder.write("text", "no core file")), HasSubstr("is not a core file"));
  EXPECT_THAT(message(folder.write("empty", "")), HasSubstr("is not a core file"));
  EXPECT_THAT(message(folder.path()), HasSubstr("is a folder"));
  EXPECT_THAT(message(folder / "none"), HasSubstr("No such file"));
  EXPECT_THAT(message("/proc/self/exe"), HasSubstr("is a program or a library"));
}

}  // namespace
