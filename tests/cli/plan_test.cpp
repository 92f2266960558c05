// `tare plan` as a command, also compared with what a program really takes.

#include "support/paths.hpp"
#include "support/sanitizers.hpp"
#include "support/temporary_folder.hpp"
#include "tare_command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace {

using namespace cli_test;
using nlohmann::json;
using testing::HasSubstr;

TEST(plan_command_test, tells_what_fits_and_what_to_set) {
  const auto ended = run_tare({"plan", "--memory", "1G", "--weight", "1000", "--sockets", "1", "--descriptors", "20000",
                               "--rate", "1000", "--latency", "50", "--buffer", "16K"});
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_THAT(ended.output, HasSubstr("19,936 tasks fit, limited by file descriptors"));
  EXPECT_THAT(ended.output, HasSubstr("runtime_options::frame_limit"));
  EXPECT_THAT(ended.output, HasSubstr("byte_budget in_flight(819200)"));
  EXPECT_THAT(ended.output, HasSubstr("ulimit -n"));
}

TEST(plan_command_test, tells_requests_that_wait_from_those_that_respond) {
  std::vector<std::string> arguments{"plan", "--memory",    "64M",   "--weight",     "100",  "--base",
                                     "12M",  "--in-flight", "12000", "--responding", "16",   "--waiting",
                                     "2K",   "--buffer",    "128K",  "--predict",    "12000"};
  const auto shown = run_tare(arguments);
  EXPECT_EQ(shown.status, 0) << shown.errors;
  EXPECT_THAT(shown.output, HasSubstr("requests that wait"));
  EXPECT_THAT(shown.output, HasSubstr("requests that are reading or responding"));
  arguments.insert(arguments.end(), {"--json", "-"});
  const auto planned = run_tare(arguments);
  ASSERT_EQ(planned.status, 0) << planned.errors;
  const json memory = json::parse(planned.output).at("memory");
  EXPECT_EQ(memory.at("waiting_bytes"), (12'000 - 16) * 2048);
  EXPECT_EQ(memory.at("buffer_bytes"), 16 * 131'072);
}

TEST(plan_command_test, says_what_is_wrong_in_one_line) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{}, "--memory"},
      {{"--memory", "1G"}, "one of --weight, --from FILE, or a command"},
      {{"--memory", "1G", "--weight", "5", "--from", "x"}, "one of --weight"},
      {{"--memory", "lots", "--weight", "5"}, "lots"},
      {{"--memory", "1K", "--weight", "5", "--base", "1M"}, "the program alone takes"},
      {{"--memory", "1G", "--from", "/does/not/exist"}, "/does/not/exist"},
      {{"--memory", "1G", "--", "true"}, "no {n}"},
      {{"--memory", "1G", "--", "/does/not/exist", "{n}"}, "no such file"},
      {{"--memory", "1G", "--weight", "5", "--json", "/does/not/exist/x"}, "/does/not/exist"},
  };
  for (auto [arguments, complaint] : cases) {
    arguments.insert(arguments.begin(), "plan");
    const auto ended = run_tare(arguments);
    EXPECT_NE(ended.status, 0) << complaint;
    EXPECT_THAT(ended.errors, HasSubstr(complaint));
    EXPECT_EQ(std::ranges::count(ended.errors, '\n'), 1) << ended.errors;
  }
}

#if defined(TARE_WITH_PEER)
TEST(plan_command_test, predicts_a_million_tasks_to_a_tenth) {
  const auto planned = run_tare({"plan", "--memory", "1G", "--predict", "1000000", "--json", "-", "--n", "1,50000",
                                 "--", support::path::peer_tare, "empty", "{n}"});
  ASSERT_EQ(planned.status, 0) << planned.errors;
  const json plan = json::parse(planned.output);
  EXPECT_EQ(plan.at("predicted_tasks"), 1'000'000);
  const auto predicted = plan.at("memory").at("resident_bytes").get<double>();
  EXPECT_NEAR(predicted, plan.at("base_bytes").get<double>() + 1e6 * plan.at("weight_bytes").get<double>(), 1);

  const support::temporary_folder folder;
  const auto file = (folder / "weighed.json").string();
  const auto weighed = run_tare(
      {"weigh", "--n", "1000000", "--runs", "1", "--json", file, "--", support::path::peer_tare, "empty", "{n}"});
  ASSERT_EQ(weighed.status, 0) << weighed.errors;
  const double measured =
      json::parse(support::read_file(file)).at("results").at(0).at("points").at(0).at("rss_bytes").get<double>();
  if (support::has_address_sanitizer) GTEST_SKIP() << "a sanitizer needs memory for its own bookkeeping";
  EXPECT_NEAR(predicted / measured, 1.0, 0.1);
}
#endif

}  // namespace
