#include "sim/explored.hpp"

#include <tare/symbols.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace tare::testing {

namespace {

const program_awaits& awaits_of_this_program() {
  static const program_awaits awaits = read_awaits();
  return awaits;
}

void record(const sim::exploration& seen) {
  const char* const folder = std::getenv("TARE_SIM_COVERAGE");  // NOLINT(concurrency-mt-unsafe): there is one thread
  if (folder == nullptr) return;
  for (const std::string& note : awaits_of_this_program().notes) ADD_FAILURE() << note;
  std::filesystem::create_directories(folder);
  const auto* const test = ::testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(test->test_suite_name()) + "." + test->name() + ".txt";
  std::ranges::replace(name, '/', '-');
  const auto file = std::filesystem::path(folder) / name;
  // What an earlier run has left is replaced; what this test has explored before is kept.
  static std::string last_written;
  std::ofstream lines(file, name == last_written ? std::ios::app : std::ios::trunc);
  last_written = name;
  for (const sim::explored_line& line : seen.lines) {
    lines << line.file << ':' << line.line << ' ' << line.cancelled << ' ' << line.shielded << '\n';
  }
  lines.close();
  EXPECT_TRUE(lines) << file << " could not be written";
}

void expect_all_tried(const sim::explored_faults& faults, const char* what) {
  EXPECT_EQ(faults.tried, faults.possible) << what;
}

}  // namespace

sim::exploration explore_every_fault(const sim::scenario& body, sim::explore_options chosen) {
  chosen.awaits = &awaits_of_this_program().table;
  chosen.failed = [] { return ::testing::Test::HasFailure(); };
  sim::exploration seen = sim::explore(chosen, body);
  std::printf("%s\n", sim::to_string(seen).c_str());
  expect_all_tried(seen.awaits, "awaits");
  expect_all_tried(seen.allocations, "allocations");
  expect_all_tried(seen.writes, "writes");
  expect_all_tried(seen.reads, "segments");
  expect_all_tried(seen.wakes, "wake-ups");
  expect_all_tried(seen.files, "calls on disks");
  record(seen);
  return seen;
}

}  // namespace tare::testing
