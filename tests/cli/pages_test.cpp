#include "cli/pages.hpp"

#include "inspect/live/snapshot_file.hpp"
#include "snapshots.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace {

TEST(pages_test, nothing_in_the_json_can_end_its_element) {
  EXPECT_EQ(tare::cli::filled_page("<a>@</a>", "@", R"({"name": "</a><b>"})"),
            R"(<a>{"name": "\u003c/a>\u003cb>"}</a>)");
  EXPECT_EQ(tare::cli::filled_page("<a></a>", "@", "{}"), std::nullopt);
}

TEST(pages_test, the_page_of_live_holds_the_snapshot_and_takes_nothing_from_elsewhere) {
  if (!tare::cli::has_pages()) GTEST_SKIP() << "built without npm";
  auto server = cli_test::a_server();
  server.sites[0].function = "serve<</script>>()";
  const std::string page = tare::cli::live_page(tare::inspect::snapshot_json(server));
  constexpr std::string_view opens = R"(<script type="application/json" id="data">)";
  const auto at = page.find(opens);
  ASSERT_NE(at, std::string::npos);
  const auto end = page.find("</script>", at);
  const auto all = nlohmann::json::parse(page.substr(at + opens.size(), end - at - opens.size()));
  EXPECT_EQ(all.at("sites").at(0).at("function"), "serve<</script>>()");
  EXPECT_EQ(all.at("stacks").size(), server.stacks.size());
  EXPECT_THAT(page, testing::Not(testing::ContainsRegex("(src|href)=\"https?:")));
  EXPECT_THAT(tare::cli::frames_page("{}"), testing::HasSubstr("<title>tare frames</title>"));
}

}  // namespace
