// Tests `tare hold` and `tare weigh --connections` as commands.

#include "cli/tare_command.hpp"
#include "support/paths.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace cli_test;
using nlohmann::json;
using testing::HasSubstr;

std::vector<std::string> weigh_server(std::vector<std::string> options, std::vector<std::string> server) {
  options.insert(options.begin(), {"weigh", "--connections", "--runs", "1"});
  options.emplace_back("--");
  options.insert(options.end(), server.begin(), server.end());
  return options;
}

TEST(weigh_connections_test, weighs_what_a_connection_takes) {
  const auto ended = run_tare(weigh_server({"--n", "20,400", "--json", "-"}, {support::path::server, "{port}"}));
  ASSERT_EQ(ended.status, 0) << ended.errors;
  const json written = json::parse(ended.output);
  const json& result = written.at("results").at(0);
  EXPECT_EQ(result.at("name"), "test_http_server");
  ASSERT_EQ(result.at("points").size(), 2U);
  const json& last = result.at("points").at(1);
  EXPECT_EQ(last.at("n"), 400);
  EXPECT_GT(last.at("rss_bytes"), 100'000);
  EXPECT_GT(last.at("burst_rss_bytes"), 100'000);
  EXPECT_GT(last.at("closed_rss_bytes"), 100'000);
  EXPECT_GT(last.at("ready_seconds"), 0.0);
}

TEST(weigh_connections_test, prints_a_table) {
  const auto ended = run_tare(weigh_server({"--n", "5,50"}, {support::path::server, "{port}"}));
  ASSERT_EQ(ended.status, 0) << ended.errors;
  EXPECT_THAT(ended.output, testing::ContainsRegex("connections +RSS .*after a burst +after closing"));
  EXPECT_THAT(ended.output, HasSubstr("bytes per idle connection"));
}

TEST(weigh_connections_test, weighs_every_kind) {
  const std::pair<const char*, bool> kinds[] = {{"websocket", true}, {"sse", false}, {"long-poll", true}};
  for (const auto& [kind, has_burst] : kinds) {
    const auto ended = run_tare(weigh_server({"--n", "10,60", "--kind", kind, "--release", "/release", "--json", "-"},
                                             {support::path::server, "{port}", "200", kind}));
    ASSERT_EQ(ended.status, 0) << kind << ": " << ended.errors;
    const json written = json::parse(ended.output);
    const json& last = written.at("results").at(0).at("points").at(1);
    EXPECT_EQ(last.at("n"), 60) << kind;
    EXPECT_GT(last.at("rss_bytes"), 100'000) << kind;
    EXPECT_GT(last.at("closed_rss_bytes"), 100'000) << kind;
    EXPECT_EQ(last.contains("burst_rss_bytes"), has_burst) << kind;
    EXPECT_TRUE(last.at("slab_bytes").is_number_integer()) << kind;
    EXPECT_TRUE(last.at("socket_bytes").is_number_integer()) << kind;
  }
}

TEST(weigh_connections_test, a_long_poll_without_a_release_is_not_answered) {
  const auto ended = run_tare(
      weigh_server({"--n", "5,50", "--kind", "long-poll"}, {support::path::server, "{port}", "200", "long-poll"}));
  ASSERT_EQ(ended.status, 0) << ended.errors;
  EXPECT_THAT(ended.output, HasSubstr("The kernel holds "));
  EXPECT_THAT(ended.output, HasSubstr("bytes per idle connection"));
}

TEST(weigh_connections_test, a_server_of_a_list_speaks_only_its_kinds) {
  const support::temporary_folder folder;
  const auto list =
      folder.write("servers.toml", "[[peer]]\nname = 'one'\nkinds = ['http', 'sse']\nrun = ['" +
                                       std::string(support::path::server) + "', '{port}', '200', '{kind}']\n");
  const std::vector<std::string> weigh{"weigh", "--connections", "--peers", list.string(), "--runs",
                                       "1",     "--n",           "5,50"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = weigh;
    all.insert(all.end(), more.begin(), more.end());
    return run_tare(all);
  };
  EXPECT_EQ(with({"--kind", "sse"}).status, 0);
  const auto chosen = with({"--kind", "websocket", "--only", "one"});
  EXPECT_EQ(chosen.status, 2);
  EXPECT_THAT(chosen.errors, HasSubstr("the server 'one' does not speak websocket; it speaks: http, sse"));
  const auto none = with({"--kind", "websocket"});
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.errors, HasSubstr("none of the peers is a server, with a {port} in 'run', that speaks websocket"));
}

TEST(weigh_connections_test, says_what_went_wrong_in_one_line) {
  const struct {
    std::vector<std::string> options;
    std::vector<std::string> server;
    const char* complaint;
    int status;
  } cases[] = {
      {{}, {support::path::server, "8080"}, "the command has no {port}", 2},
      {{"--n", "5"},
       {support::path::server, "{port}", "500"},
       "failed 5 of 5 connections at opening: responded with 500",
       1},
      {{"--n", "5"}, {"false", "{port}"}, "false ended while its connections were weighed with n = 5", 1},
      {{"--n", "5", "--timeout", "0.1"},
       {"sleep", "100", "0{port}"},
       "within 0.1 s: cannot connect: Connection refused",
       1},
      {{"--n", "5"}, {"sh", "-c", "echo no config >&2; exit 3", "{port}"}, ": no config", 1},
      {{"--n", "5"}, {"/does/not/exist", "{port}"}, "/does/not/exist: no such file", 1},
      {{"--n", "2000000000"}, {support::path::server, "{port}"}, "raise it with ulimit", 2},
      {{"--path", "/x", "--n", "5"}, {support::path::server, "{port}", "404"}, "responded with 404", 1},
      {{"--kind", "gopher"},
       {support::path::server, "{port}"},
       "no kind of connection is named 'gopher'; there are: http, https, websocket, websocket-tls, sse, long-poll, "
       "database",
       2},
      {{"--kind", "websocket", "--n", "5"}, {support::path::server, "{port}"}, "responded with 200", 1},
      {{"--kind", "websocket", "--n", "5"},
       {support::path::server, "{port}", "200", "wrong-handshake"},
       "the response to the WebSocket handshake has a wrong Sec-WebSocket-Accept",
       1},
      {{"--kind", "sse", "--n", "5"}, {support::path::server, "{port}"}, "the response is not an event stream", 1},
      {{"--kind", "sse", "--n", "5"},
       {support::path::server, "{port}", "200", "sse-of-three"},
       "ended the event stream after 3 of 10 events",
       1},
      {{"--kind", "long-poll", "--n", "5"}, {support::path::server, "{port}"}, "responded instead of waiting", 1},
      {{"--kind", "https", "--n", "5", "--timeout", "0.3"},
       {support::path::server, "{port}"},
       "within 0.3 s: the TLS handshake failed",
       1},
      {{"--n", "5"},
       {support::path::server, "{port}", "200", "closes-when-idle"},
       "failed 5 of 5 connections at the end of the rest: closed the idle connection",
       1},
  };
  for (const auto& each : cases) {
    const auto ended = run_tare(weigh_server(each.options, each.server));
    EXPECT_EQ(ended.status, each.status) << each.complaint;
    EXPECT_THAT(ended.errors, HasSubstr(each.complaint));
    EXPECT_EQ(std::ranges::count(ended.errors, '\n'), 1) << ended.errors;
  }
}

TEST(hold_command_test, says_what_went_wrong_in_one_line) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"hold"}, "url"},
      {{"hold", "127.0.0.1"}, "is not a URL"},
      {{"hold", "ftp://127.0.0.1/"}, "only http:// and https://"},
      {{"hold", "--connections", "0", "http://127.0.0.1:1/"}, "--connections"},
      {{"hold", "--seconds", "nan", "http://127.0.0.1:1/"}, "is not a time"},
      {{"hold", "--rate", "5", "http://127.0.0.1:1/"}, "--load"},
      {{"hold", "--load", "--pid", "999999999", "http://127.0.0.1:1/"}, "process 999999999 does not exist"},
      {{"hold", "--connections", "3", "http://127.0.0.1:1/"}, "Connection refused"},
      {{"hold", "--load", "--connections", "3", "http://127.0.0.1:1/"}, "Connection refused"},
      {{"hold", "--json", "/does/not/exist", "http://127.0.0.1:1/"}, "/does/not/exist"},
  };
  for (const auto& [arguments, complaint] : cases) {
    const auto ended = run_tare(arguments);
    EXPECT_NE(ended.status, 0) << complaint;
    EXPECT_THAT(ended.errors, HasSubstr(complaint));
    EXPECT_EQ(std::ranges::count(ended.errors, '\n'), 1) << ended.errors;
  }
}

TEST(weigh_connections_test, leaves_nothing_behind_when_it_is_stopped) {
  const support::temporary_folder folder;
  const auto pid_file = folder / "pid";
  tare_command running(weigh_server({"--n", "5", "--timeout", "60"},
                                    {"sh", "-c", "echo $$ > " + pid_file.string() + "; exec sleep 100", "{port}"}));
  const auto server = static_cast<pid_t>(std::stol(wait_for_line(pid_file)));
  running.send(SIGINT);
  EXPECT_EQ(running.wait().status, 130);
  EXPECT_EQ(::kill(server, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

}  // namespace
