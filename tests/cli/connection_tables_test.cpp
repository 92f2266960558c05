#include "cli/connection_tables.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace {

using namespace tare::cli;
using namespace tare::measure;
using testing::HasSubstr;

race_peer server(std::string name, bool subject = false) {
  race_peer made;
  made.name = name;
  made.title = std::move(name);
  made.version = "1";
  made.subject = subject;
  return made;
}

sample at(std::uint64_t n, std::uint64_t resident, kernel_growth kernel) {
  sample made;
  made.n = n;
  made.held.resident = resident;
  made.closed = 1'500'000;
  made.cpu = std::chrono::microseconds(20 * n);
  made.kernel = kernel;
  return made;
}

race_entry entry(std::string peer, std::string kind, double weight) {
  race_entry made;
  made.peer = std::move(peer);
  made.workload = std::move(kind);
  made.points = {at(1000, 2'000'000, {.slab = 5'000'000, .sockets = 0}),
                 at(5000, 6'000'000, {.slab = 25'000'000, .sockets = 4000})};
  made.weight = slope{.median = weight, .lowest = weight - 1, .highest = weight + 1};
  return made;
}

race_results example() {
  race_results results;
  results.date = "2026-01-31";
  results.connections = true;
  results.repeats = 3;
  results.peers = {server("ours", true), server("theirs"), server("absent"), server("broken")};
  results.peers[2].absent = "absent is missing; get it";
  results.peers[3].failed = "it did `not` build";
  results.entries = {entry("ours", "sse", 98), entry("ours", "http", 88), entry("theirs", "http", 7526)};
  results.entries.push_back(entry("theirs", "sse", 0));
  results.entries.back().failed = "it fell | over";
  results.entries.push_back(entry("theirs", "long-poll", 100));
  return results;
}

TEST(connection_tables_test, the_headline_has_a_column_for_each_kind_and_says_what_is_missing) {
  EXPECT_EQ(connection_headline(example()),
            "| bytes of the process per connection | HTTP | event stream | long poll |\n"
            "|---|---:|---:|---:|\n"
            "| **ours 1** | 88.0 | 98.0 | – |\n"
            "| theirs 1 | 7,526 | failed | 100 |\n"
            "\n"
            "| not measured | why |\n"
            "|---|---:|\n"
            "| absent | `absent is missing; get it` |\n"
            "| broken | it did `not` build |\n"
            "| theirs, `sse` | `it fell \\| over` |\n");
}

TEST(connection_tables_test, the_report_has_the_process_the_kernel_and_what_is_left) {
  const std::string text = connection_tables(example());
  EXPECT_THAT(text, HasSubstr("Medians of 3 repeats, with 1,000 and 5,000 connections."));
  EXPECT_THAT(text, HasSubstr("| **ours 1** | 88.0 (87.0 to 89.0) | 98.0 (97.0 to 99.0) | – |\n"));
  EXPECT_THAT(text, HasSubstr("| **ours 1** | 5,001 | 5,001 | – |\n"));
  EXPECT_THAT(text, HasSubstr("| **ours 1** | 6.0 MB → 1.5 MB | 6.0 MB → 1.5 MB | – |\n"));
  EXPECT_THAT(text, HasSubstr("| **ours 1** | 20.0 µs | 20.0 µs | – |\n"));
  EXPECT_THAT(text, HasSubstr("## Not measured\n\n| not measured | why |"));
}

TEST(connection_tables_test, what_cannot_be_known_is_said) {
  race_results results = example();
  results.entries = {entry("ours", "http", 88)};
  results.entries.front().points.back().kernel.slab.reset();
  EXPECT_THAT(connection_tables(results), HasSubstr("| **ours 1** | not readable |\n"));
  results.entries.front().points.resize(1);
  results.entries.front().weight.reset();
  EXPECT_THAT(connection_headline(results), HasSubstr("| **ours 1** | one count |\n"));
  results.entries.clear();
  EXPECT_THAT(connection_headline(results), HasSubstr("| bytes of the process per connection |\n"));
}

TEST(connection_tables_test, the_summary_is_for_the_terminal) {
  const std::string text = connection_summary(example());
  EXPECT_THAT(text, testing::ContainsRegex("server +HTTP +event stream +long poll\n"));
  EXPECT_THAT(text, testing::ContainsRegex("theirs +7,526 +failed +100\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("absent")));
}

}  // namespace
