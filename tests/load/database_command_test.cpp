// Tests the kind `database` of `tare weigh --connections` and `tare race --connections` as commands.

#include "cli/tare_command.hpp"
#include "support/paths.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace {

using namespace cli_test;
using nlohmann::json;
using testing::HasSubstr;

std::string database(const std::string& fault = "") {
  return std::string("python3 ") + support::path::database + " database {port} " + fault;
}

outcome weigh(const std::vector<std::string>& options, const std::string& server_fault = "") {
  std::vector<std::string> all{"weigh", "--connections", "--kind", "database", "--runs", "1", "--json", "-"};
  all.insert(all.end(), options.begin(), options.end());
  all.insert(all.end(), {"--", "python3", support::path::database, "server", "{port}"});
  if (!server_fault.empty()) all.push_back(server_fault);
  return run_tare(all);
}

TEST(weigh_database_test, requests_wait_for_the_database_and_are_all_answered) {
  const auto ended = weigh({"--n", "5,20", "--database", database()});
  ASSERT_EQ(ended.status, 0) << ended.errors;
  const json written = json::parse(ended.output);
  const json& points = written.at("results").at(0).at("points");
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points.at(1).at("n"), 20);
  EXPECT_GT(points.at(1).at("rss_bytes"), 100'000);
  EXPECT_GT(points.at(1).at("burst_rss_bytes"), 100'000);
}

TEST(weigh_database_test, says_what_went_wrong_in_one_line) {
  const struct {
    std::vector<std::string> options;
    std::string server_fault;
    const char* complaint;
    int status;
  } cases[] = {
      {{}, "", "--kind database needs --database, or --peers", 2},
      {{"--database", "true"}, "", "--database has no {port}", 2},
      {{"--database", "/does/not/exist {port}"}, "", "the database /bin/sh did not start: exited with status 127", 1},
      {{"--database", database("dies")}, "", "did not start: exited with status 1: no disk", 1},
      {{"--database", "sleep 1{port}", "--timeout", "0.5"}, "", "did not start: did not print READY in time", 1},
      {{"--database", database("prints-nothing")}, "", "printed no line url=...", 1},
      {{"--database", database("cannot-lock")}, "", "failed at /lock: responded with 500", 1},
      {{"--database", database(), "--timeout", "1"},
       "unreachable",
       "does not serve the database: responded with 503 with n = 5",
       1},
      {{"--database", database()}, "does-not-wait", "at the end of the rest: responded instead of waiting", 1},
      {{"--database", database()},
       "wrong-body",
       "failed 5 of 5 connections at the response: responded with a wrong body",
       1},
  };
  for (const auto& each : cases) {
    auto options = each.options;
    options.insert(options.end(), {"--n", "5"});
    const auto ended = weigh(options, each.server_fault);
    EXPECT_EQ(ended.status, each.status) << each.complaint;
    EXPECT_THAT(ended.errors, HasSubstr(each.complaint));
    EXPECT_EQ(std::ranges::count(ended.errors, '\n'), 1) << ended.errors;
  }
}

TEST(weigh_database_test, a_race_takes_the_database_of_the_list_or_of_the_server) {
  const support::temporary_folder folder;
  const std::string program = support::path::database;
  const auto server = [&](const std::string& name, const std::string& more) {
    return "[[peer]]\nname = '" + name + "'\nkinds = ['database']\nrun = ['python3', '" + program +
           "', 'server', '{port}']\n" + more;
  };
  const auto list = folder.write(
      "servers.toml", "database = ['python3', '" + program + "', 'database', '{port}']\n" + server("good", "") +
                          server("bad", "database = ['python3', '" + program + "', 'database', '{port}', 'dies']\n"));
  const auto output = folder / "out";
  const auto ended = run_tare(
      {"race", "--connections", "--peers", list.string(), "--output", output.string(), "--repeats", "1", "--n", "5"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.errors, HasSubstr("tare: bad in database: the database python3 did not start"));
  EXPECT_THAT(ended.output, HasSubstr("waiting for a database"));
  std::string results;
  for (const auto& file : std::filesystem::directory_iterator(output)) {
    if (file.path().extension() == ".json") results = file.path().string();
  }
  const auto document = folder
                            .write("page.md",
                                   "<!-- race: x -->\n<!-- race end -->\n<!-- race connections: y -->\n"
                                   "<!-- race end -->\nend\n")
                            .string();
  ASSERT_EQ(run_tare({"race", "--from", results, "--readme", document}).status, 0);
  const std::string text = support::read_file(document);
  EXPECT_THAT(text, testing::StartsWith("<!-- race: x -->\n<!-- race end -->\n<!-- race connections: out/"));
  EXPECT_THAT(text, HasSubstr("| good | "));
  EXPECT_THAT(text, testing::EndsWith("<!-- race end -->\nend\n"));
}

}  // namespace
