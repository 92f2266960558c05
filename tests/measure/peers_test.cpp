#include "measure/weigh/peers.hpp"

#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace {

using tare::base::fault;
using tare::measure::connection_kind;
using tare::measure::missing_need;
using tare::measure::need;
using tare::measure::parse_peers;
using tare::measure::peer;
using tare::measure::peer_list;
using tare::measure::read_peers;
using tare::measure::select_peers;
using words = std::vector<std::string>;

constexpr std::string_view two_peers = R"(# a comment
root = ".."

[[peer]]
name = "ours"
subject = true
version = ["./ours", "--version"]
build = ["make", "ours"]
run = ["./ours", "--tasks={n}"]
needs = [
  { program = "sh", hint = "install a shell" },
  { file = "Makefile", hint = "write one" },
]

[[peer]]
name = "theirs"
version = "1.2"
run = ["theirs", "{n}"]
max_n = 1000
)";

std::string complaint(std::string_view text) {
  const auto list = parse_peers(text, "dir/peers.toml");
  if (list) return "accepted";
  EXPECT_EQ(list.error().kind, fault::input);
  return list.error().message;
}

/// The same for a [[peer]] that has a name and a run; `line` becomes the fourth line of the file.
std::string complaint_about(std::string_view line) {
  return complaint("[[peer]]\nname = \"a\"\nrun = [\"a\", \"{n}\"]\n" + std::string(line) + "\n");
}

TEST(peers_test, reads_everything) {
  const auto list = parse_peers(two_peers, "dir/peers.toml");
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->root, "dir/..");
  ASSERT_EQ(list->peers.size(), 2U);

  const peer& ours = list->peers[0];
  EXPECT_EQ(ours.name, "ours");
  EXPECT_TRUE(ours.subject);
  EXPECT_EQ(std::get<words>(ours.version), (words{"./ours", "--version"}));
  EXPECT_EQ(ours.build, (words{"make", "ours"}));
  EXPECT_EQ(ours.run, (words{"./ours", "--tasks={n}"}));
  ASSERT_EQ(ours.needs.size(), 2U);
  EXPECT_EQ(ours.needs[0].what, need::kind::program);
  EXPECT_EQ(ours.needs[0].name, "sh");
  EXPECT_EQ(ours.needs[0].hint, "install a shell");
  EXPECT_EQ(ours.needs[1].what, need::kind::file);
  EXPECT_EQ(ours.needs[1].name, "Makefile");
  EXPECT_FALSE(ours.max_n);

  const peer& theirs = list->peers[1];
  EXPECT_FALSE(theirs.subject);
  EXPECT_EQ(std::get<std::string>(theirs.version), "1.2");
  EXPECT_TRUE(theirs.build.empty());
  EXPECT_TRUE(theirs.needs.empty());
  EXPECT_EQ(theirs.max_n, 1000U);
}

TEST(peers_test, the_root_is_the_folder_of_the_file_by_default) {
  constexpr std::string_view text = "[[peer]]\nname = \"a\"\nrun = [\"a\", \"{n}\"]\n";
  EXPECT_EQ(parse_peers(text, "dir/peers.toml")->root, "dir");
  EXPECT_EQ(parse_peers(text, "peers.toml")->root, ".");
  EXPECT_EQ(parse_peers("root = \"/\"\n" + std::string(text), "dir/peers.toml")->root, "/");
}

TEST(peers_test, an_error_names_the_file_and_the_place) {
  EXPECT_EQ(complaint_about("rnu = 1"),
            "dir/peers.toml:4:1: unknown key 'rnu' in [[peer]]; known: name, title, language, "
            "subject, floor, version, build, run, workloads, kinds, needs, max_n, limits, database");
  EXPECT_EQ(complaint("\nroof = 1\n"),
            "dir/peers.toml:2:1: unknown key 'roof' in the file; known: root, page, database, peer");
  EXPECT_EQ(complaint_about("needs = [{ programme = \"a\" }]"),
            "dir/peers.toml:4:12: unknown key 'programme' in 'needs'; known: program, file, check, hint");
}

TEST(peers_test, a_peer_has_a_name_and_a_run_with_a_place_for_the_count) {
  EXPECT_EQ(complaint("\n[[peer]]\nrun = [\"a\", \"{n}\"]\n"), "dir/peers.toml:2:1: a peer has a 'name'");
  EXPECT_EQ(complaint("\n[[peer]]\nname = \"a\"\n"), "dir/peers.toml:2:1: the peer 'a' has no 'run'");
  EXPECT_EQ(complaint("[[peer]]\nname = \"a\"\nrun = [\"a\", \"n\"]\n"),
            "dir/peers.toml:3:7: 'run' has no {n} for the number of tasks, nor a {port} as a server");
}

TEST(peers_test, names_differ) {
  EXPECT_EQ(complaint("[[peer]]\nname = \"a\"\nrun = [\"a\", \"{n}\"]\n\n[[peer]]\nname = \"a\"\nrun = [\"{n}\"]\n"),
            "dir/peers.toml:5:1: a second peer named 'a': rename one");
}

TEST(peers_test, values_have_their_types) {
  EXPECT_EQ(complaint("[[peer]]\nname = 1\n"), "dir/peers.toml:2:8: 'name' must be a string");
  EXPECT_EQ(complaint("[[peer]]\nname = \"\"\n"), "dir/peers.toml:2:8: 'name' must be one line, and not empty");
  EXPECT_EQ(complaint("[[peer]]\nname = \"a\\nb\"\n"), "dir/peers.toml:2:8: 'name' must be one line, and not empty");
  EXPECT_EQ(complaint("root = []\n"), "dir/peers.toml:1:8: 'root' must be a string");
  EXPECT_EQ(complaint_about("subject = \"yes\""), "dir/peers.toml:4:11: 'subject' must be true or false");
  EXPECT_EQ(complaint_about("version = 1.5"), "dir/peers.toml:4:11: 'version' must be a string");
  EXPECT_EQ(complaint_about("version = []"),
            "dir/peers.toml:4:11: 'version' must be a list of strings, the command and its arguments");
  EXPECT_EQ(complaint_about("build = \"make\""),
            "dir/peers.toml:4:9: 'build' must be a list of strings, the command and its arguments");
  EXPECT_EQ(complaint_about("build = [\n\"make\", 1]"), "dir/peers.toml:5:9: 'build' must contain only strings");
  EXPECT_EQ(complaint_about("build = [\"\"]"), "dir/peers.toml:4:9: 'build' begins with an empty string");
  EXPECT_EQ(complaint_about("build = [\"a\", \"\\u0000\"]"), "dir/peers.toml:4:15: 'build' contains a zero byte");
  for (const std::string_view number : {"0", "-1", "1.0", "\"1\""}) {
    EXPECT_EQ(complaint_about("max_n = " + std::string(number)),
              "dir/peers.toml:4:9: 'max_n' must be a whole number above 0");
  }
  EXPECT_EQ(complaint("[[peer]]\nname = \"a\"\nrun = \"a {n}\"\n"),
            "dir/peers.toml:3:7: 'run' must be a list of strings, the command and its arguments");
}

TEST(peers_test, a_need_is_a_program_or_a_file_with_a_hint) {
  EXPECT_EQ(complaint_about("needs = \"python3\""), "dir/peers.toml:4:9: 'needs' must be a list");
  EXPECT_EQ(complaint_about("needs = [\"python3\"]"),
            "dir/peers.toml:4:10: 'needs' must contain tables such as { program = \"...\", hint = \"...\" }");
  EXPECT_EQ(complaint_about("needs = [{ hint = \"a\" }]"),
            "dir/peers.toml:4:10: a need has one of 'program', 'file' and 'check'");
  EXPECT_EQ(complaint_about("needs = [{ program = \"a\", file = \"b\", hint = \"c\" }]"),
            "dir/peers.toml:4:10: a need has one of 'program', 'file' and 'check'");
  EXPECT_EQ(complaint_about("needs = [{ program = \"a\" }]"),
            "dir/peers.toml:4:10: a need has a 'hint': what to install");
  EXPECT_EQ(complaint_about("needs = [{ file = 1, hint = \"a\" }]"), "dir/peers.toml:4:19: 'file' must be a string");
}

TEST(peers_test, there_is_a_peer) {
  EXPECT_EQ(complaint(""), "dir/peers.toml:1:1: no [[peer]]: add one for each program");
  EXPECT_EQ(complaint("root = \".\"\npeer = []\n"), "dir/peers.toml:2:8: no [[peer]]: add one for each program");
  EXPECT_EQ(complaint("[peer]\nname = \"a\"\n"), "dir/peers.toml:1:1: 'peer' must be written as [[peer]]");
  EXPECT_EQ(complaint("peer = [1]\n"), "dir/peers.toml:1:9: 'peer' must be written as [[peer]]");
}

TEST(peers_test, what_is_not_toml_is_an_error_with_a_place) {
  EXPECT_THAT(complaint("[[peer]]\nname = \n"), testing::StartsWith("dir/peers.toml:2:8: "));
  EXPECT_THAT(complaint("[[peer]]\n\nname = \"a\"\nname = \"b\"\n"), testing::StartsWith("dir/peers.toml:4:8: "));
  EXPECT_THAT(complaint("\xff\xfe"), testing::StartsWith("dir/peers.toml:1:1: "));
  EXPECT_THAT(complaint(std::string(100'000, '[')), testing::StartsWith("dir/peers.toml:1:3: "));
}

TEST(peers_test, the_first_error_wins) {
  EXPECT_EQ(complaint("[[peer]]\nname = 1\nrun = 2\nmax_n = 0\n"), "dir/peers.toml:2:8: 'name' must be a string");
}

peer named(std::string name) {
  peer made;
  made.name = std::move(name);
  return made;
}

class peers_file_test : public testing::Test {
 protected:
  std::string complaint(std::string_view name) const {
    const auto list = read_peers(folder_ / name);
    return list ? "accepted" : list.error().message;
  }

  support::temporary_folder folder_;
};

TEST_F(peers_file_test, reads_a_file) {
  const auto file = folder_.write("peers.toml", two_peers);
  const auto list = read_peers(file);
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->root, folder_ / "..");
  EXPECT_EQ(list->peers.size(), 2U);
}

TEST_F(peers_file_test, says_why_it_cannot) {
  EXPECT_EQ(complaint("missing.toml"),
            "cannot read " + (folder_ / "missing.toml").string() + ": No such file or directory");
  std::filesystem::create_directory(folder_ / "folder");
  EXPECT_EQ(complaint("folder"), (folder_ / "folder").string() + " is a folder");
  const auto file = folder_.write("peers.toml", "[[peer]]\nname = 1\n").string();
  EXPECT_EQ(complaint("peers.toml"), file + ":2:8: 'name' must be a string");
}

TEST_F(peers_file_test, the_root_is_a_folder) {
  const auto file =
      folder_.write("peers.toml", "root = \"nowhere\"\n[[peer]]\nname = \"a\"\nrun = [\"{n}\"]\n").string();
  EXPECT_EQ(complaint("peers.toml"),
            file + ":1:8: 'root' must be a folder, and this is not one: " + (folder_ / "nowhere").string());
}

TEST(select_peers_test, gives_those_asked_for_in_the_order_of_the_list) {
  peer_list list;
  for (const char* name : {"a", "b", "c"}) list.peers.push_back(named(name));
  const auto names = [&](const words& wanted) {
    words found;
    const auto selected = select_peers(list, wanted).value();
    found.reserve(selected.size());
    for (const auto& each : selected) found.push_back(each.name);
    return found;
  };
  EXPECT_EQ(names({}), (words{"a", "b", "c"}));
  EXPECT_EQ(names({"c", "a", "c"}), (words{"a", "c"}));
  const auto wrong = select_peers(list, {"a", "d"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, fault::input);
  EXPECT_EQ(wrong.error().message, "no peer is named 'd'; there are: a, b, c");
}

TEST(missing_need_test, is_the_first_that_is_not_there) {
  const support::temporary_folder folder;
  folder.write("there", "");
  folder.write("tool", "#!/bin/sh\n");
  const need shell{.what = need::kind::program, .name = "sh", .hint = "hint"};
  const need tool{.what = need::kind::program, .name = "./tool", .hint = "hint"};
  const need file{.what = need::kind::file, .name = "there", .hint = "hint"};
  const need no_program{.what = need::kind::program, .name = "tare-no-such-command", .hint = "first"};
  const need no_file{.what = need::kind::file, .name = "not-there", .hint = "second"};
  const auto missing = [&](std::vector<need> needs) {
    peer peer = named("a");
    peer.needs = std::move(needs);
    const auto found = missing_need(peer, folder.path());
    return found ? found->hint : "nothing";
  };
  EXPECT_EQ(missing({}), "nothing");
  EXPECT_EQ(missing({shell, tool, file}), "nothing");
  EXPECT_EQ(missing({shell, no_program, no_file}), "first");
  EXPECT_EQ(missing({no_file, no_program}), "second");
}

TEST(peers_test, fills_in_the_workload_and_knows_its_limits) {
  const auto list = parse_peers(R"([[peer]]
name = "a"
title = "A runtime"
language = "A"
floor = true
run = ["a", "--do={workload}", "{workload}", "{n}"]
workloads = ["empty", "churn"]
max_n = 10
limits = { churn = 20 }
)",
                                "dir/peers.toml");
  ASSERT_TRUE(list) << list.error().message;
  const peer& peer = list->peers[0];
  EXPECT_EQ(peer.title, "A runtime");
  EXPECT_EQ(peer.language, "A");
  EXPECT_TRUE(peer.floor);
  EXPECT_EQ(peer.program("churn", "root").arguments, (words{"a", "--do=churn", "churn", "{n}"}));
  EXPECT_EQ(peer.program("churn", "root").directory, "root");
  EXPECT_TRUE(peer.has_workload("churn"));
  EXPECT_FALSE(peer.has_workload("nested-at-top"));
  EXPECT_EQ(peer.limit("empty"), 10U);
  EXPECT_EQ(peer.limit("churn"), 20U);
}

TEST(peers_test, without_a_place_for_the_workload_there_is_only_the_empty_one) {
  const auto list = parse_peers(two_peers, "peers.toml");
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->peers[0].title, "ours");
  EXPECT_TRUE(list->peers[0].has_workload("empty"));
  EXPECT_FALSE(list->peers[0].has_workload("churn"));
  EXPECT_EQ(list->peers[0].limit("empty"), std::nullopt);
  const auto any = parse_peers("[[peer]]\nname = \"a\"\nrun = [\"a\", \"{workload}{n}\"]\n", "peers.toml");
  ASSERT_TRUE(any);
  EXPECT_TRUE(any->peers[0].has_workload("churn"));
}

TEST(peers_test, complains_about_workloads) {
  EXPECT_EQ(complaint_about("workloads = [\"churn\"]"), "dir/peers.toml:4:13: 'workloads' needs a {workload} in 'run'");
  EXPECT_EQ(complaint_about("limits = 5"), "dir/peers.toml:4:10: 'limits' must be a table such as { churn = 1000000 }");
  EXPECT_EQ(complaint_about("limits = { churn = 0 }"), "dir/peers.toml:4:20: 'churn' must be a whole number above 0");
  EXPECT_EQ(complaint_about("floor = 1"), "dir/peers.toml:4:9: 'floor' must be true or false");
}

TEST(peers_test, a_check_is_a_command_that_succeeds) {
  const need works{.what = need::kind::check, .name = "true", .check = {"true"}, .hint = "first"};
  const need fails{.what = need::kind::check, .name = "false", .check = {"false"}, .hint = "second"};
  peer peer;
  peer.needs = {works};
  EXPECT_FALSE(missing_need(peer, "."));
  peer.needs = {works, fails};
  const auto missing = missing_need(peer, ".");
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->text(), "second");
}

TEST(peers_test, tells_servers_from_programs_of_tasks) {
  const auto list = parse_peers(
      "[[peer]]\nname = 'server'\nrun = ['s', '{port}']\n[[peer]]\nname = 'tasks'\nrun = ['t', '{n}']\n", "peers.toml");
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_TRUE(list->peers[0].is_server());
  EXPECT_FALSE(list->peers[0].has_workload("empty"));
  EXPECT_FALSE(list->peers[1].is_server());
  EXPECT_TRUE(list->peers[1].has_workload("empty"));
}

TEST(peers_test, a_server_speaks_http_unless_it_says_otherwise) {
  const auto list = parse_peers(
      "[[peer]]\nname = 'a'\nrun = ['s', '{port}']\n"
      "[[peer]]\nname = 'b'\nkinds = ['websocket', 'sse']\nrun = ['s', '{port}', '-{kind}{kind}']\n"
      "[[peer]]\nname = 'c'\nrun = ['t', '{n}']\n",
      "peers.toml");
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_TRUE(list->peers[0].speaks(connection_kind::http));
  EXPECT_FALSE(list->peers[0].speaks(connection_kind::sse));
  EXPECT_FALSE(list->peers[1].speaks(connection_kind::http));
  EXPECT_TRUE(list->peers[1].speaks(connection_kind::websocket));
  EXPECT_EQ(list->peers[1].server(connection_kind::sse, "root").arguments[2], "-ssesse");
  EXPECT_EQ(list->peers[1].server(connection_kind::sse, "root").directory, "root");
  EXPECT_FALSE(list->peers[2].speaks(connection_kind::http));
}

TEST(peers_test, wrong_kinds_are_errors) {
  const auto complaint = [](const std::string& line) {
    const auto list = parse_peers("[[peer]]\nname = 'a'\nrun = ['s', '{port}']\n" + line + "\n", "peers.toml");
    return list ? "accepted" : list.error().message;
  };
  EXPECT_EQ(
      complaint("kinds = ['gopher']"),
      "peers.toml:4:10: no kind of connection is named 'gopher'; there are: http, https, websocket, websocket-tls, "
      "sse, long-poll, database");
  EXPECT_EQ(complaint("kinds = [5]").substr(0, 50), "peers.toml:4:10: no kind of connection is named ''");
  EXPECT_EQ(complaint("kinds = ['sse', 'sse']"), "peers.toml:4:17: 'kinds' lists 'sse' twice");
  EXPECT_EQ(complaint("kinds = []"),
            "peers.toml:4:9: 'kinds' must be a list of strings, such as [\"http\", \"websocket\"]");
  EXPECT_EQ(complaint("kinds = 'sse'"),
            "peers.toml:4:9: 'kinds' must be a list of strings, such as [\"http\", \"websocket\"]");
  EXPECT_EQ(complaint("kinds = ['database']"),
            "peers.toml:1:1: 'a' speaks database, and nothing says which: add 'database'");
  EXPECT_EQ(complaint("database = ['d']"), "peers.toml:4:12: 'database' has no {port} for what it is told");
  EXPECT_EQ(complaint("database = []").substr(0, 37), "peers.toml:4:12: 'database' must be a");
  EXPECT_EQ(complaint("kinds = ['database']\ndatabase = ['d', '{port}']"), "accepted");
  const auto tasks = parse_peers("[[peer]]\nname = 'a'\nrun = ['s', '{n}']\nkinds = ['sse']\n", "peers.toml");
  EXPECT_EQ(tasks.error().message, "peers.toml:4:9: 'kinds' needs a {port} in 'run'");
}

}  // namespace
