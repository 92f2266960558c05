// Tests `tare race --connections` as a command.

#include "cli/tare_command.hpp"
#include "support/paths.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace cli_test;
using nlohmann::json;
using testing::HasSubstr;

class connection_race_test : public testing::Test {
 protected:
  outcome race(std::vector<std::string> arguments, const std::string& servers) {
    const auto list = folder_.write("servers.toml", servers);
    const std::vector<std::string> first{"race",     "--connections",   "--peers",   list.string(),
                                         "--output", output().string(), "--repeats", "1"};
    arguments.insert(arguments.begin(), first.begin(), first.end());
    return run_tare(arguments);
  }
  [[nodiscard]] std::filesystem::path output() const { return folder_ / "out"; }
  /// The file that was written with this ending.
  [[nodiscard]] std::string written(std::string_view ending) const {
    for (const auto& file : std::filesystem::directory_iterator(output())) {
      if (file.path().extension() == ending) return file.path().string();
    }
    return "none";
  }
  /// A server in the list: `kinds` as in TOML, and what follows the port.
  static std::string server(const std::string& name, const std::string& kinds, const std::string& rest) {
    return "[[peer]]\nname = '" + name + "'\ntitle = 'The " + name + "'\nversion = '1'\nkinds = " + kinds +
           "\nrun = ['" + support::path::server + "', '{port}', '200', " + rest + "]\n";
  }

  support::temporary_folder folder_;
};

TEST_F(connection_race_test, weighs_each_server_in_the_kinds_that_it_speaks) {
  const auto ended = race({"--n", "10,60"}, server("all", "['http', 'websocket', 'long-poll']", "'{kind}'") +
                                                server("some", "['sse']", "'{kind}'"));
  ASSERT_EQ(ended.status, 0) << ended.errors;
  EXPECT_EQ(ended.errors, "");
  EXPECT_THAT(ended.output, HasSubstr("WebSocket"));
  EXPECT_THAT(written(".json"), testing::EndsWith("-connections.json"));
  EXPECT_EQ(written(".html"), "none");
  const json all = json::parse(support::read_file(written(".json")));
  EXPECT_EQ(all.at("measured"), "connections");
  ASSERT_EQ(all.at("results").size(), 4U);
  for (const auto& entry : all.at("results")) {
    EXPECT_EQ(entry.at("points").size(), 2U);
    EXPECT_TRUE(entry.at("slope_bytes").is_number());
    EXPECT_GT(entry.at("points").at(1).at("closed_rss_bytes"), 100'000);
  }
  const std::string tables = support::read_file(written(".md"));
  EXPECT_THAT(tables, HasSubstr("| bytes per connection | HTTP | WebSocket | event stream | long poll |\n"));
  EXPECT_THAT(tables, testing::ContainsRegex("\n\\| The some 1 \\| – \\| – \\| [-0-9.,]+ \\| – \\|\n"));
}

TEST_F(connection_race_test, a_server_that_fails_is_marked_and_the_others_go_on) {
  const auto ended =
      race({"--n", "5,50", "--kind", "websocket,http"},
           server("closes", "['http']", "'closes-when-idle'") + server("lies", "['websocket']", "'wrong-handshake'") +
               "[[peer]]\nname = 'dies'\nrun = ['sh', '-c', 'echo it hurts >&2; exit 3', '{port}']\n" +
               "[[peer]]\nname = 'absent'\nrun = ['x', '{port}']\n" +
               "needs = [{ program = 'tare-no-such-program', hint = 'buy it' }]\n" +
               server("good", "['http', 'websocket']", "'{kind}'"));
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.errors, HasSubstr("tare: absent is left out: tare-no-such-program is missing; buy it\n"));
  EXPECT_THAT(ended.errors,
              testing::ContainsRegex("tare: closes in http: [^\n]*closed the idle connection with n = 5\n"));
  EXPECT_THAT(ended.errors,
              testing::ContainsRegex("tare: lies in websocket: [^\n]*a wrong Sec-WebSocket-Accept with n = 5\n"));
  EXPECT_THAT(ended.errors, testing::ContainsRegex("tare: dies in http: [^\n]*: it hurts\n"));
  const std::string tables = support::read_file(written(".md"));
  EXPECT_THAT(tables, HasSubstr("| The closes 1 | failed | – |\n"));
  EXPECT_THAT(tables, HasSubstr("| The lies 1 | – | failed |\n"));
  EXPECT_THAT(tables, HasSubstr("| absent | `tare-no-such-program is missing; buy it` |\n"));
  EXPECT_THAT(tables, testing::ContainsRegex("\n\\| dies, `http` \\| `[^\n]*: it hurts` \\|\n"));
  EXPECT_THAT(tables, testing::ContainsRegex("\n\\| The good 1 \\| [-0-9.,]+ \\| [-0-9.,]+ \\|\n"));
}

TEST_F(connection_race_test, a_document_has_the_table_of_the_results) {
  ASSERT_EQ(race({"--n", "5,50", "--kind", "http"}, server("a", "['http']", "'http'")).status, 0);
  const std::string results = written(".json");
  const auto document = folder_.write("page.md", "<!-- race: x -->\nold\n<!-- race end -->\n").string();
  ASSERT_EQ(run_tare({"race", "--from", results, "--readme", document}).status, 0);
  EXPECT_THAT(support::read_file(document), HasSubstr("| bytes of the process per connection | HTTP |\n"));
  EXPECT_EQ(run_tare({"race", "--readme", document, "--check"}).status, 0);
  const std::string tables = support::read_file(written(".md"));
  std::filesystem::remove(written(".md"));
  ASSERT_EQ(run_tare({"race", "--from", results, "--peers", (folder_ / "servers.toml").string()}).status, 0);
  EXPECT_EQ(support::read_file(written(".md")), tables);
}

TEST_F(connection_race_test, wrong_options_are_reported) {
  const std::string string = server("a", "['http']", "'http'");
  const auto unknown = race({"--kind", "http,gopher"}, string);
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.errors, HasSubstr("no kind of connection is named 'gopher'; there are: http, https,"));
  const auto not_spoken = race({"--kind", "sse"}, string);
  EXPECT_EQ(not_spoken.status, 2);
  EXPECT_THAT(not_spoken.errors, HasSubstr("none of the chosen servers speaks sse"));
  EXPECT_NE(run_tare({"race", "--kind", "http"}).status, 0);
  EXPECT_NE(race({"--workload", "empty"}, string).status, 0);
  const auto many = race({"--n", "2000000000"}, string);
  EXPECT_EQ(many.status, 2);
  EXPECT_THAT(many.errors, HasSubstr("raise it with ulimit"));
}

TEST_F(connection_race_test, interrupted_it_keeps_what_was_measured_and_leaves_no_child) {
  const auto started = folder_ / "started";
  const auto list = folder_.write("servers.toml", server("a", "['http']", "'http'") +
                                                      "[[peer]]\nname = 'slow'\nrun = ['sh', '-c', 'echo $$ >" +
                                                      started.string() + "; exec sleep 1000', '{port}']\n");
  tare_command command({"race", "--connections", "--peers", list.string(), "--output", output().string(), "--n", "5,50",
                        "--repeats", "1"});
  const pid_t child = std::stoi(wait_for_line(started));
  command.send(SIGINT);
  const auto ended = command.wait();
  EXPECT_EQ(ended.status, 130);
  EXPECT_THAT(ended.errors, HasSubstr("stopped; what was measured before is written"));
  EXPECT_EQ(::kill(child, 0), -1);
  const json all = json::parse(support::read_file(written(".json")));
  ASSERT_EQ(all.at("results").size(), 1U);
  EXPECT_EQ(all.at("results").at(0).at("peer"), "a");
}

}  // namespace
