// The async functions of corpus/futures.rs, compared with std::mem::size_of_val.

#include "inspect/coroutine/read.hpp"
#include "support/paths.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <string>

namespace tare::inspect {
namespace {

namespace fs = std::filesystem;

std::map<std::string, std::uint64_t> true_sizes(const fs::path& program) {
  std::string text;
  // NOLINTNEXTLINE(bugprone-command-processor): a program of the corpus, without arguments
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(program.c_str(), "r"), ::pclose);
  if (!pipe) return {};
  std::array<char, 4096> part{};
  while (const std::size_t n = std::fread(part.data(), 1, part.size(), pipe.get())) text.append(part.data(), n);
  std::map<std::string, std::uint64_t> sizes;
  std::istringstream lines(text);
  std::uint64_t bytes = 0;
  for (std::string name; lines >> bytes >> name;) sizes[name] = bytes;
  return sizes;
}

class rust : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(program_)) GTEST_SKIP() << "rustc is not installed, so there is no Rust program to look into";
    auto read = read_coroutines(program_);
    ASSERT_TRUE(read) << read.error().message;
    report_ = std::move(*read);
  }
  const coroutine* find(const std::string& name) const {
    const auto found = std::ranges::find(report_.coroutines, "futures::" + name, &coroutine::name);
    return found == report_.coroutines.end() ? nullptr : &*found;
  }
  const fs::path program_ = support::path::rust_program;
  coroutine_report report_;
};

TEST_F(rust, sizes_are_what_size_of_val_says) {
  const auto truth = true_sizes(program_);
  EXPECT_GE(truth.size(), 20U);
  for (const auto& [name, bytes] : truth) {
    const coroutine* coroutine = find(name);
    ASSERT_NE(coroutine, nullptr) << name;
    EXPECT_EQ(coroutine->frame_bytes, bytes) << name;
    EXPECT_EQ(coroutine->allocated_by, allocation::inside) << name;
    EXPECT_EQ(coroutine->allocated_bytes, std::nullopt) << name;
  }
  fmt::print("{} async functions compared\n", truth.size());
}

TEST_F(rust, awaits_keep_what_their_state_has) {
  const coroutine* buffer = find("buffer");
  ASSERT_NE(buffer, nullptr);
  ASSERT_EQ(buffer->awaits.size(), 2U);
  EXPECT_EQ(buffer->awaits[0].kind, suspension::initial);
  EXPECT_EQ(buffer->awaits[1].known_by, evidence::compiler);
  EXPECT_GE(buffer->awaits[1].live_bytes, 300U);
  EXPECT_LT(buffer->awaits[0].live_bytes, 300U);
  EXPECT_TRUE(buffer->declared.file.ends_with("futures.rs"));
  EXPECT_GT(buffer->awaits[1].where.line, buffer->declared.line);
  const coroutine* parent = find("two_children");
  ASSERT_NE(parent, nullptr);
  ASSERT_EQ(parent->awaits.size(), 3U);
  EXPECT_EQ(parent->awaits[1].children, std::vector<std::string>{find("parameter")->linkage_name});
}

}  // namespace
}  // namespace tare::inspect
