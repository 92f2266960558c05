#include "measure/process/command.hpp"

#include "support/conversation.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace {

namespace fs = std::filesystem;
using conversation::call;
using tare::base::fault;
using tare::measure::command;
using tare::measure::find_program;

TEST(command_test, takes_a_count_wherever_the_placeholder_is) {
  EXPECT_TRUE(call({"a", "{n}"}).takes_count());
  EXPECT_TRUE(call({"a", "--tasks={n}"}).takes_count());
  EXPECT_TRUE(call({"{n}"}).takes_count());
  EXPECT_FALSE(call({"a", "{N}", "{ n}", "{n", "n}"}).takes_count());
  EXPECT_FALSE(command{}.takes_count());
}

TEST(command_test, puts_the_count_into_every_argument) {
  const auto counted = call({"a", "{n}", "x{n}y{n}", "{{n}}", "{n", ""}, "/tmp").with_count(1'000'000);
  EXPECT_EQ(counted.arguments, (std::vector<std::string>{"a", "1000000", "x1000000y1000000", "{1000000}", "{n", ""}));
  EXPECT_EQ(counted.directory, "/tmp");
}

TEST(command_test, takes_a_port_too) {
  EXPECT_TRUE(call({"a", "--listen=127.0.0.1:{port}"}).takes_port());
  EXPECT_FALSE(call({"a", "{n}"}).takes_port());
  EXPECT_EQ(call({"a", "{port}", "{n}"}).with_port(8080).arguments, (std::vector<std::string>{"a", "8080", "{n}"}));
}

TEST(command_test, shows_itself_as_a_shell_would_take_it) {
  EXPECT_EQ(call({"./a", "--n={n}", "b.c"}).text(), "./a --n={n} b.c");
  EXPECT_EQ(call({"sh", "-c", "echo 'a b'"}).text(), R"(sh -c 'echo '\''a b'\''')");
  EXPECT_EQ(call({"a", "", "$b", "*"}).text(), "a '' '$b' '*'");
  EXPECT_EQ(command{}.text(), "");
}

/// Sets PATH for one test.
class find_program_test : public testing::Test {
 protected:
  // NOLINTBEGIN(concurrency-mt-unsafe): there is one thread
  void SetUp() override {  // NOLINT(readability-identifier-naming)
    if (const char* before = std::getenv("PATH")) before_ = before;
  }
  void TearDown() override { set_path(before_); }  // NOLINT(readability-identifier-naming)
  static void set_path(const std::string& folders) { ::setenv("PATH", folders.c_str(), 1); }
  // NOLINTEND(concurrency-mt-unsafe)

  static std::string complaint(const std::string& program, const fs::path& directory = {}) {
    const auto found = find_program(program, directory);
    if (found) return "found " + found->string();
    EXPECT_EQ(found.error().kind, fault::command);
    return found.error().message;
  }

  support::temporary_folder folder_;

 private:
  std::string before_;
};

TEST_F(find_program_test, looks_into_the_folders_of_the_path_in_turn) {
  fs::create_directory(folder_ / "first");
  fs::create_directory(folder_ / "second");
  folder_.write("second/both", "#!/bin/sh\n");
  set_path((folder_ / "first").string() + ":" + (folder_ / "second").string());
  EXPECT_EQ(find_program("both"), folder_ / "second/both");
  folder_.write("first/both", "#!/bin/sh\n");
  EXPECT_EQ(find_program("both"), folder_ / "first/both");
}

TEST_F(find_program_test, goes_on_past_what_cannot_be_run) {
  fs::create_directory(folder_ / "first");
  fs::create_directory(folder_ / "second");
  folder_.write("first/it", "no program");
  set_path((folder_ / "first").string() + ":" + (folder_ / "second").string());
  EXPECT_EQ(complaint("it"), (folder_ / "first/it").string() + " is not executable");
  folder_.write("second/it", "#!/bin/sh\n");
  EXPECT_EQ(find_program("it"), folder_ / "second/it");
}

TEST_F(find_program_test, takes_a_name_with_a_slash_as_a_path_from_the_folder) {
  fs::create_directory(folder_ / "bin");
  folder_.write("bin/it", "#!/bin/sh\n");
  set_path("/nonexistent");
  EXPECT_EQ(find_program("bin/it", folder_.path()), folder_ / "bin/it");
  EXPECT_EQ(find_program((folder_ / "bin/it").string(), "/"), folder_ / "bin/it");
}

TEST_F(find_program_test, says_why_there_is_none) {
  folder_.write("text", "no program");
  fs::create_directory(folder_ / "folder");
  set_path("/nonexistent");
  EXPECT_EQ(complaint(""), "the name of the program is empty");
  EXPECT_EQ(complaint("nothing"), "nothing: command not found");
  EXPECT_EQ(complaint("./nothing", folder_.path()), "./nothing: no such file");
  EXPECT_EQ(complaint("./text", folder_.path()), "./text is not executable");
  EXPECT_EQ(complaint("./folder", folder_.path()), "./folder is a folder");
}

TEST_F(find_program_test, an_empty_path_means_the_folder_itself) {
  folder_.write("it", "#!/bin/sh\n");
  set_path("");
  EXPECT_EQ(find_program("it", folder_.path()), folder_ / "it");
}

}  // namespace
