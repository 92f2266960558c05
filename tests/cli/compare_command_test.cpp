// `tare compare` as a command.

#include "inspect/live/snapshot_file.hpp"
#include "snapshots.hpp"
#include "support/temporary_folder.hpp"
#include "tare_command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace cli_test;
using nlohmann::json;
using tare::inspect::live_snapshot;
using tare::inspect::snapshot_json;
using testing::HasSubstr;
using testing::Not;

class compare_command_test : public testing::Test {
 protected:
  std::string write(const std::string& name, const live_snapshot& what) const {
    return folder_.write(name, snapshot_json(what)).string();
  }

  static live_snapshot later() {
    live_snapshot server = a_server();
    server.rss_bytes += 500'000;
    server.sites[1] = site("handle(request)", 20, 900, 100);
    server.sites[2] = site("query(session&)", 50, 10, 8);
    server.frames = 1'910;
    server.frame_bytes = 290'080;
    return server;
  }

  support::temporary_folder folder_;
  std::string before_ = write("before.json", a_server());
  std::string after_ = write("after.json", later());
};

TEST_F(compare_command_test, tells_what_grew) {
  const auto ended = run_tare({"compare", before_, after_});
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_THAT(ended.output, HasSubstr("in memory  2,000,000  2,500,000  +500,000\n"));
  EXPECT_THAT(ended.output, HasSubstr("frames         2,000      1,910       -90\n"));
  EXPECT_THAT(ended.output, Not(HasSubstr("serve(stream, int)"))) << "it did not change";
  EXPECT_THAT(
      ended.output,
      HasSubstr(
          "handle(request)  /src/server.cpp:20  +30,000        60,000       90,000            600           900\n"
          "query(session&)  /src/server.cpp:50      +80             -           80              -            10\n"
          "acquire(pool&)   /src/server.cpp:30  -20,000        20,000            -            400             -\n"));
  const auto top = run_tare({"compare", before_, after_, "--top", "1"});
  EXPECT_THAT(top.output, HasSubstr("handle(request)"));
  EXPECT_THAT(top.output, Not(HasSubstr("query(session&)")));
  EXPECT_THAT(top.output, HasSubstr("… and 2 more\n"));
}

TEST_F(compare_command_test, two_that_are_equal_differ_in_nothing) {
  const auto ended = run_tare({"compare", before_, before_});
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_THAT(ended.output, HasSubstr("no place has more or fewer suspended frames\n"));
}

TEST_F(compare_command_test, writes_json) {
  const auto ended = run_tare({"compare", before_, after_, "--json", "-"});
  ASSERT_EQ(ended.status, 0) << ended.errors;
  const json all = json::parse(ended.output);
  EXPECT_EQ(all.at("schema"), 1);
  EXPECT_EQ(all.at("before").at("frames"), 2'000);
  EXPECT_EQ(all.at("after").at("rss_bytes"), 2'500'000);
  ASSERT_EQ(all.at("sites").size(), 4U);
  EXPECT_EQ(all.at("sites").at(0).at("function"), "handle(request)");
  EXPECT_EQ(all.at("sites").at(0).at("change"), "grew");
  EXPECT_EQ(all.at("sites").at(0).at("bytes_before"), 60'000);
  EXPECT_EQ(all.at("sites").at(0).at("count_after"), 900);
  EXPECT_EQ(all.at("sites").at(1).at("change"), "new");
  EXPECT_TRUE(all.at("sites").at(1).at("line_before").is_null());
  EXPECT_EQ(all.at("sites").at(2).at("change"), "same");
  EXPECT_EQ(all.at("sites").at(3).at("change"), "gone");
}

TEST_F(compare_command_test, one_may_come_through_a_pipe) {
  for (const auto& [first, second] : {std::pair<std::string, std::string>{"-", after_}, {before_, "-"}}) {
    const auto ended = tare_command({"compare", first, second}, {}, first == "-" ? before_ : after_).wait();
    EXPECT_EQ(ended.status, 0) << ended.errors;
    EXPECT_THAT(ended.output, HasSubstr("+500,000"));
  }
}

TEST_F(compare_command_test, another_process_is_named_and_its_moved_lines_are_reported) {
  live_snapshot other = a_server();
  other.pid = 43;
  for (auto& each : other.sites) each.where.line += 3;
  other.sites[0] = site("serve(stream, int)", 13, 1'100, 200);
  const auto ended = run_tare({"compare", before_, write("other.json", other)});
  EXPECT_THAT(ended.output, HasSubstr("process    server (process 42)  server (process 43)\n"));
  EXPECT_THAT(ended.output, HasSubstr("serve(stream, int)  /src/server.cpp:13 (was :10)  +20,000 "));
}

TEST_F(compare_command_test, says_what_is_wrong_in_one_line) {
  const auto no_snapshot = folder_.write("frames.json", R"({"schema": 1, "coroutines": []})").string();
  const auto newer = folder_.write("newer.json", R"({"schema": 2, "sites": [], "stacks": []})").string();
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{before_}, "after is required"},
      {{"-", "-"}, "only one of the two can be standard input"},
      {{before_, "/does/not/exist"}, "cannot read /does/not/exist"},
      {{folder_.path().string(), after_}, "is a folder"},
      {{no_snapshot, after_}, "frames.json: it holds no snapshot"},
      {{before_, newer}, "newer.json: it has schema 2, but this command reads 1"},
      {{before_, after_, "--top", "-1"}, "--top"},
      {{before_, after_, "--json", "/does/not/exist/x"}, "/does/not/exist"},
  };
  for (auto [arguments, complaint] : cases) {
    arguments.insert(arguments.begin(), "compare");
    const auto ended = run_tare(arguments);
    EXPECT_EQ(ended.status, arguments.back() == "/does/not/exist/x" ? 1 : 2) << complaint;
    EXPECT_THAT(ended.errors, HasSubstr(complaint));
    EXPECT_EQ(std::ranges::count(ended.errors, '\n'), 1) << ended.errors;
  }
}

}  // namespace
