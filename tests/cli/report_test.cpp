#include "cli/figures.hpp"
#include "cli/table.hpp"
#include "cli/text_width.hpp"
#include "cli/weigh_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::cli::comparison_table;
using tare::cli::conclusion;
using tare::cli::per_task;
using tare::cli::program_table;
using tare::cli::table;
using tare::cli::to_csv;
using tare::cli::to_json;
using tare::cli::weighed_program;
using tare::cli::with_commas;

constexpr std::uint64_t base = 2'000'000;

/// A program whose tasks take so many bytes each, measured once with one task and once with `most`.
weighed_program program(std::string name, bool subject, std::uint64_t bytes, std::uint64_t most = 1'000'001) {
  weighed_program made;
  made.name = std::move(name);
  made.subject = subject;
  tare::measure::series run;
  for (const std::uint64_t n : {std::uint64_t{1}, most}) {
    run.push_back({.n = n,
                   .held = {.resident = base + (n - 1) * bytes, .proportional = 1, .peak = 2},
                   .ready = 1500ms,
                   .cpu = 20ms});
  }
  made.runs.push_back(std::move(run));
  return made;
}

TEST(table_test, aligns_columns) {
  table rows({"name", "bytes"});
  rows.add({"a", "1"});
  rows.add({"abcdef", "1,000"});
  EXPECT_EQ(rows.text(),
            "name    bytes\n"
            "-------------\n"
            "a           1\n"
            "abcdef  1,000\n");
}

TEST(table_test, leaves_no_blank_at_the_end_of_a_line_and_counts_characters) {
  table rows({"a", "b"}, 2);
  rows.add({"\xc3\xa9", "long"});
  rows.add({"xx", ""});
  EXPECT_EQ(rows.text(),
            "a   b\n"
            "-----\n"
            "\xc3\xa9   long\n"
            "xx\n");
}

TEST(table_test, gets_narrower_where_the_terminal_is) {
  table rows({"suspended in", "at", "bytes"}, 2);
  rows.add({"server::handle_one_request(server::request&, server::response&)", "/home/someone/src/server/main.cpp:1234",
            "96"});
  rows.add({"leaf()", "../short.cpp:7", "1,000,000"});
  const auto widest = [](const std::string& text) {
    std::size_t most = 0;
    for (std::size_t at = 0; at < text.size();) {
      const auto end = text.find('\n', at);
      most = std::max(most, tare::cli::text_width(std::string_view(text).substr(at, end - at)));
      at = end + 1;
    }
    return most;
  };
  const auto whole = widest(rows.text());
  EXPECT_EQ(rows.text(whole), rows.text());
  EXPECT_EQ(rows.text(500), rows.text());
  for (std::size_t width = 60; width < whole; ++width) {
    const std::string text = rows.text(width);
    EXPECT_LE(widest(text), width) << text;
    EXPECT_THAT(text, testing::HasSubstr("main.cpp:1234  ")) << "of a place the end stays";
    EXPECT_THAT(text, testing::HasSubstr("1,000,000\n"));
    EXPECT_THAT(text, testing::HasSubstr("\nserver::handle_"));
  }
  // Too narrow for anything: then the line is wider.
  EXPECT_THAT(rows.text(1), testing::HasSubstr("main.cpp:1234"));
}

TEST(table_test, a_last_column_of_text_is_to_the_left) {
  table rows({"name", "bytes", "at"});
  rows.align_left(2);
  rows.add({"a", "1", ":7"});
  rows.add({"b", "1,000", "other.cpp:12"});
  EXPECT_EQ(rows.text(),
            "name  bytes  at\n"
            "-------------------------\n"
            "a         1  :7\n"
            "b     1,000  other.cpp:12\n");
}

TEST(report_test, with_commas) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(1'234'567), "1,234,567");
  EXPECT_EQ(with_commas(18'446'744'073'709'551'615U), "18,446,744,073,709,551,615");
}

TEST(report_test, per_task) {
  EXPECT_EQ(per_task(0), "0.0");
  EXPECT_EQ(per_task(36.54), "36.5");
  EXPECT_EQ(per_task(99.9), "99.9");
  EXPECT_EQ(per_task(100), "100");
  EXPECT_EQ(per_task(1234.5), "1,235");
  EXPECT_EQ(per_task(-36.54), "-36.5");
  EXPECT_EQ(per_task(-1234.4), "-1,234");
}

TEST(conclusion_test, is_computed_from_the_medians) {
  const std::vector<weighed_program> programs{program("asyncio", false, 1000), program("ours", true, 40),
                                              program("asio", false, 100)};
  EXPECT_EQ(conclusion(programs),
            "A suspended task weighs 40.0 bytes in ours, 25 times less than in asyncio (1,000), 2.5 times less than in "
            "asio (100).\n");
}

TEST(conclusion_test, says_so_when_the_subject_loses) {
  const std::vector<weighed_program> programs{program("ours", true, 40), program("lean", false, 20)};
  EXPECT_EQ(conclusion(programs), "A suspended task weighs 40.0 bytes in ours, 2.0 times as much as in lean (20.0).\n");
}

TEST(conclusion_test, a_crowd_that_takes_less_than_fewer_of_another_is_reported) {
  const std::vector<weighed_program> programs{program("ours", true, 40), program("heavy", false, 1000, 100'001)};
  EXPECT_EQ(conclusion(programs),
            "A suspended task weighs 40.0 bytes in ours, 25 times less than in heavy (1,000); 1,000,001 of them take "
            "42.0 MB, less than 100,001 in heavy (102.0 MB).\n");
}

TEST(conclusion_test, is_empty_where_nothing_can_be_compared) {
  EXPECT_EQ(conclusion({}), "");
  EXPECT_EQ(conclusion(std::vector{program("ours", true, 40)}), "");
  EXPECT_EQ(conclusion(std::vector{program("a", false, 40), program("b", false, 40)}), "");
  EXPECT_EQ(conclusion(std::vector{program("ours", true, 40), program("also ours", true, 20)}), "");
  EXPECT_EQ(conclusion(std::vector{program("ours", true, 0), program("a", false, 20)}), "");
  weighed_program absent;
  absent.name = "absent";
  EXPECT_EQ(conclusion(std::vector{program("ours", true, 40), absent}), "");
}

TEST(report_test, the_comparison_has_a_row_for_each_program_that_was_measured) {
  weighed_program absent;
  absent.name = "absent";
  const std::string text =
      comparison_table({.programs = {program("ours", true, 40), absent, program("b", false, 100, 11)}, .runs = 1});
  EXPECT_THAT(text, testing::HasSubstr(
                        "program  version  bytes/task  RSS at 1  RSS at 11  RSS at 1,000,001  to READY    CPU\n"));
  EXPECT_THAT(text, testing::HasSubstr(
                        "ours                    40.0    2.0 MB          -           42.0 MB     1.5 s  20 ms\n"));
  EXPECT_THAT(text, testing::HasSubstr(
                        "b                        100    2.0 MB     2.0 MB                 -     1.5 s  20 ms\n"));
  EXPECT_THAT(text, testing::HasSubstr("Medians of 1 run,"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("absent")));
  EXPECT_EQ(comparison_table({.programs = {absent}, .runs = 1}), "");
  weighed_program server = program("server", true, 40);
  server.connections = true;
  server.runs.front().back().burst = 43'000'000;
  server.runs.front().back().closed = 2'500'000;
  const std::string of_servers = comparison_table({.programs = {server}, .runs = 1});
  EXPECT_THAT(of_servers, testing::HasSubstr("bytes/connection"));
  EXPECT_THAT(of_servers, testing::HasSubstr("43.0 MB"));
  EXPECT_THAT(of_servers, testing::HasSubstr("2.5 MB"));
}

TEST(report_test, the_spread_is_shown_where_there_is_one) {
  weighed_program weighed_program = program("ours", true, 40);
  weighed_program.runs.push_back(program("", true, 42).runs.front());
  weighed_program.runs.push_back(program("", true, 41).runs.front());
  EXPECT_THAT(comparison_table({.programs = {weighed_program}, .runs = 3}), testing::HasSubstr(" 41.0 (40.0-42.0) "));
  EXPECT_THAT(program_table(weighed_program),
              testing::HasSubstr("\nours: 41.0 bytes per task, median of 3 runs (40.0-42.0)\n"));
  EXPECT_EQ(program_table({}), "");
}

TEST(report_test, csv_quotes_text) {
  weighed_program weighed_program = program("a,\"b\"", false, 40);
  weighed_program.version = "1\n2";
  EXPECT_EQ(to_csv(std::vector{weighed_program}),
            "name,version,run,n,rss_bytes,pss_bytes,anonymous_bytes,page_table_bytes,peak_bytes,swapped_bytes,"
            "ready_seconds,cpu_seconds\n"
            "\"a,\"\"b\"\"\",\"1\n2\",1,1,2000000,1,0,0,2,0,1.500000,0.020000\n"
            "\"a,\"\"b\"\"\",\"1\n2\",1,1000001,42000000,1,0,0,2,0,1.500000,0.020000\n");
}

TEST(report_test, json_takes_names_that_are_no_utf8) {
  const auto all = nlohmann::json::parse(to_json({.programs = {program("caf\xe9", true, 40)}, .runs = 1}));
  EXPECT_EQ(all.at("results").at(0).at("name"), "caf\xef\xbf\xbd");
  EXPECT_EQ(all.at("results").at(0).at("slope_bytes"), 40);
  EXPECT_EQ(all.at("results").at(0).at("base_rss_bytes"), base);
}

}  // namespace
