// The variables reported live across the awaits of corpus/live.cpp, compared with the comments there.

#include "inspect/coroutine/read.hpp"
#include "support/paths.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace tare::inspect {
namespace {

namespace fs = std::filesystem;

struct expectation {
  std::vector<std::string> live;
  std::vector<std::string> dead;
};

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> all;
  for (std::string each; in >> each;) all.push_back(each);
  return all;
}

std::map<std::uint32_t, expectation> expectations() {
  std::map<std::uint32_t, expectation> all;
  std::ifstream in(fs::path(support::path::corpus_sources) / "live.cpp");
  const std::regex mark("// live:([a-z_ ]*) dead:([a-z_ ]*)$");
  std::uint32_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    std::smatch match;
    if (std::regex_search(line, match, mark)) all[number] = {.live = words(match[1]), .dead = words(match[2])};
  }
  return all;
}

/// The bytes of the frame that belong to a variable.
std::vector<bool> bytes_of(const coroutine& of, const std::string& name) {
  std::vector<bool> is_its(of.frame_bytes.value_or(0), false);
  for (const auto& field : of.fields) {
    if (field.name != name) continue;
    for (std::uint64_t i = field.offset; i < field.offset + field.bytes; ++i) is_its[i] = true;
  }
  return is_its;
}

std::vector<byte_state> states_at(const await_point& await, std::uint64_t frame_bytes) {
  std::vector<byte_state> states(frame_bytes, byte_state::dead);
  for (const auto& variable : await.variables) {
    for (std::uint64_t i = variable.offset; i < variable.offset + variable.bytes; ++i) states[i] = variable.state;
  }
  return states;
}

struct outcome {
  std::size_t awaits = 0;
  std::size_t live_values = 0;      ///< that have a place in the frame
  std::size_t called_dead = 0;      ///< of these
  std::size_t kept_bytes = 0;       ///< reported live or held, of all frames
  std::size_t dead_kept_bytes = 0;  ///< of these, bytes of variables that are dead
  std::string problems;
};

outcome judge(const fs::path& program) {
  outcome all;
  const auto report = read_coroutines(program);
  EXPECT_TRUE(report) << program;
  if (!report) return all;
  const auto wanted = expectations();
  std::set<std::uint32_t> beginnings;
  for (const auto& each : report->coroutines) beginnings.insert(each.declared.line);
  for (const auto& each : report->coroutines) {
    // By order: another test checks the lines.
    const auto next = beginnings.upper_bound(each.declared.line);
    auto expected = wanted.upper_bound(each.declared.line);
    const auto end = next == beginnings.end() ? wanted.end() : wanted.lower_bound(*next);
    const auto in_body = [](const await_point& await) { return await.kind == suspension::await; };
    const auto count = std::ranges::count_if(each.awaits, in_body);
    if (!each.declared.file.ends_with("live.cpp") || count != std::distance(expected, end)) {
      all.problems += fmt::format("  {}: {} awaits instead of {}\n", each.name, count, std::distance(expected, end));
      continue;
    }
    for (const auto& await : each.awaits) {
      if (!in_body(await)) continue;
      const auto line = expected->first;
      ++all.awaits;
      const auto states = states_at(await, each.frame_bytes.value_or(0));
      std::vector<bool> is_live(states.size(), false);
      for (const auto& name : expected->second.live) {
        const auto is_its = bytes_of(each, name);
        if (std::ranges::none_of(is_its, [](bool its) { return its; })) continue;
        ++all.live_values;
        bool kept = false;
        for (std::size_t i = 0; i < states.size(); ++i) {
          if (!is_its[i]) continue;
          is_live[i] = true;
          kept |= states[i] != byte_state::dead;
        }
        if (kept) continue;
        ++all.called_dead;
        all.problems += fmt::format("  {}:{}: '{}' is used later, but was called dead\n", each.name, line, name);
      }
      for (const auto state : states) all.kept_bytes += state != byte_state::dead ? 1 : 0;
      for (const auto& name : expected->second.dead) {
        const auto is_its = bytes_of(each, name);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < states.size(); ++i) {
          if (is_its[i] && !is_live[i] && states[i] != byte_state::dead) ++wrong;
        }
        all.dead_kept_bytes += wrong;
      }
      ++expected;
    }
  }
  return all;
}

class liveness : public ::testing::TestWithParam<const char*> {};

TEST_P(liveness, nothing_that_is_used_later_is_called_dead) {
  const fs::path program = fs::path(support::path::corpus) / GetParam();
  if (!fs::exists(program))
    GTEST_SKIP() << program << " was not built: TARE_FRAMES_CORPUS is off, or there is no plugin";
  const outcome all = judge(program);
  fmt::print(
      "{}: {} awaits, {} live values, {} of them called dead; of {} bytes live or held {} are dead ({:.1f} %)\n",
      GetParam(), all.awaits, all.live_values, all.called_dead, all.kept_bytes, all.dead_kept_bytes,
      100.0 * static_cast<double>(all.dead_kept_bytes) / static_cast<double>(std::max<std::size_t>(1, all.kept_bytes)));
  EXPECT_EQ(all.called_dead, 0U) << all.problems;
  if (!all.problems.empty()) fmt::print("{}", all.problems);
  if (std::string_view(GetParam()).contains("-recorded-")) {
    EXPECT_LE(static_cast<double>(all.dead_kept_bytes), 0.05 * static_cast<double>(all.kept_bytes));
  }
  EXPECT_GE(all.awaits, 55U);
  EXPECT_GE(all.live_values, 50U);
}

INSTANTIATE_TEST_SUITE_P(corpus, liveness,
                         ::testing::Values("live-clang-O0", "live-clang-O2", "live-clang-O3", "live-gcc-O0",
                                           "live-gcc-O2", "live-recorded-O0", "live-recorded-O2", "live-recorded-O3"),
                         [](const auto& of) {
                           std::string name = of.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tare::inspect
