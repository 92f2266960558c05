#include "cli/live_report.hpp"

#include "cli/figures.hpp"
#include "cli/short_name.hpp"
#include "cli/text_width.hpp"
#include "snapshots.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace {

using namespace tare::cli;
using cli_test::a_server;
using cli_test::site;
using tare::inspect::live_snapshot;
using tare::inspect::suspension;
using testing::HasSubstr;
using testing::Not;

TEST(figures_test, bytes_signs_and_shares) {
  EXPECT_EQ(readable_bytes(999'999), "999,999 bytes");
  EXPECT_EQ(readable_bytes(1'250'000), "1.2 MB");
  EXPECT_EQ(with_sign(0), "+0");
  EXPECT_EQ(with_sign(-1'000), "-1,000");
  EXPECT_EQ(with_sign(INT64_MIN), "-9,223,372,036,854,775,808");
  EXPECT_EQ(percent(1, 8), "12.5 %");
  EXPECT_EQ(percent(1, 0), "?");
}

TEST(short_name_test, loses_arguments_first_and_keeps_both_ends) {
  EXPECT_EQ(short_name("serve(stream)"), "serve(stream)");
  EXPECT_EQ(short_name("serve(a_stream, a_handler)", 15), "serve(...)");
  EXPECT_EQ(short_name("(anonymous namespace)::serve(a_stream)", 33), "(anonymous namespace)::serve(...)");
  EXPECT_EQ(short_name("abcdefghijklmnopqrstuvwxyz", 15), "abcdefghij...yz");
  EXPECT_EQ(short_name("a\x1b[2J\n"), "a?[2J?");
}

TEST(live_report_test, the_head_says_how_much_of_the_memory_is_frames) {
  EXPECT_EQ(live_head(a_server()),
            "server (process 42): 2.0 MB in memory, 280,000 bytes of it (14.0 %) in 2,000 suspended frames\n"
            "stopped for 52 ms, 1.5 MB looked through in 400 ms\n");
  live_snapshot core = a_server();
  core.rss_bytes = 0;
  core.paused_seconds = 0;
  core.uncertain = 7;
  EXPECT_EQ(live_head(core),
            "server (process 42): 280,000 bytes in 2,000 suspended frames\n"
            "1.5 MB looked through in 400 ms\n"
            "7 of the frames may have been freed: the allocator of their memory is unknown\n");
}

TEST(live_report_test, the_head_says_if_most_was_left_out) {
  live_snapshot server = a_server();
  server.left_out = server.frames;
  EXPECT_THAT(live_head(server), Not(HasSubstr("--pools")));
  server.left_out = server.frames + 1;
  EXPECT_THAT(live_head(server), HasSubstr("suspended frames\nmost of what looks like frames is left out: 2,001 places "
                                           "inside other objects, left over or in a pool; --pools counts them\n"));
}

TEST(live_report_test, the_head_tells_apart_what_is_not_suspended_in_a_body) {
  const auto second_line = [](const live_snapshot& of) {
    const std::string head = live_head(of);
    const auto first = head.find('\n') + 1;
    return head.substr(first, head.find('\n', first) - first);
  };
  live_snapshot server = a_server();
  server.freed = 1;
  EXPECT_EQ(second_line(server), "1 freed frame left out");
  server.not_started = 1'200;
  EXPECT_EQ(second_line(server), "of these 1,200 not started; 1 freed frame left out");
  server.freed = 2'455;
  server.half_built = 3;
  EXPECT_EQ(second_line(server), "of these 1,200 not started, 3 half-built; 2,455 freed frames left out");
  server.not_started = server.freed = 0;
  EXPECT_EQ(second_line(server), "of these 3 half-built");
}

TEST(live_report_test, the_table_has_the_heaviest_site_first) {
  live_snapshot server = a_server();
  std::swap(server.sites[0], server.sites[2]);
  EXPECT_EQ(live_table(server),
            "suspended in        at                  count  bytes each    bytes   share\n"
            "--------------------------------------------------------------------------\n"
            "serve(stream, int)  /src/server.cpp:10  1,000         200  200,000  71.4 %\n"
            "handle(request)     /src/server.cpp:20    600         100   60,000  21.4 %\n"
            "acquire(pool&)      /src/server.cpp:30    400          50   20,000   7.1 %\n");
}

TEST(live_report_test, the_table_tells_what_it_leaves_out) {
  const std::string text = live_table(a_server(), 1);
  EXPECT_THAT(text, HasSubstr("\nserve(stream, int) "));
  EXPECT_THAT(text, Not(HasSubstr("handle(request)")));
  EXPECT_THAT(text, HasSubstr("\n… and 2 more places: 80,000 bytes in 1,000 suspended frames\n"));
  EXPECT_THAT(live_table(a_server(), 3), Not(HasSubstr("more")));
  EXPECT_EQ(live_table({}), "no suspended coroutine found\n");
}

TEST(live_report_test, special_sites_are_marked) {
  live_snapshot server = a_server();
  server.sites[0].uncertain = 3;
  server.sites[1].kind = suspension::initial;
  server.sites[1].frame_bytes = 0;
  server.sites[2].kind = suspension::final;
  server.sites.push_back(site("merged()", 40, 5, 10));
  server.sites[3].merged = true;
  server.sites[3].total_bytes = 0;
  server.sites.push_back(site("nowhere()", 0, 5, 1));
  server.sites.push_back(site("begun()", 50, 2, 1));
  server.sites.back().half_built = true;
  const std::string text = live_table(server);
  EXPECT_THAT(text, HasSubstr("at                  state        count  bytes each    bytes   share  uncertain\n"));
  EXPECT_THAT(text, HasSubstr("200  200,000  71.4 %          3\n"));
  EXPECT_THAT(text, HasSubstr("/src/server.cpp:20  not started    600           ?"));
  EXPECT_THAT(text, HasSubstr("/src/server.cpp:30  ended "));
  EXPECT_THAT(text, HasSubstr("/src/server.cpp:40  merged "));
  EXPECT_THAT(text, HasSubstr("\nnowhere()           ?  "));
  EXPECT_THAT(text, HasSubstr("/src/server.cpp:50  half-built "));
}

TEST(live_report_test, the_tree_shows_who_waits_for_whom) {
  EXPECT_EQ(stacks_text(a_server()),
            "with below     here  frames  who waits for whom\n"
            "-----------------------------------------------\n"
            "   200,000  120,000     600  serve(stream, int) at /src/server.cpp:10\n"
            "    60,000   40,000     400  ├─ handle(request) at /src/server.cpp:20\n"
            "    20,000   20,000     400  │  └─ acquire(pool&) at /src/server.cpp:30\n"
            "    20,000   20,000     200  └─ handle(request) at /src/server.cpp:20\n"
            "    80,000   80,000     400  serve(stream, int) at /src/server.cpp:10\n");
  EXPECT_EQ(stacks_text({}), "no suspended coroutine found\n");
}

TEST(live_report_test, is_as_wide_as_the_terminal) {
  live_snapshot server = a_server();
  server.sites[0].function = "server::serve_requests_of_one_connection(server::stream<server::socket>, int)";
  server.sites[1].where.file = "/home/someone/with/a/long/path/to/the/sources/of/the/server.cpp";
  for (const std::size_t width : {70U, 80U, 100U, 120U}) {
    for (const auto& text : {live_table(server, 0, width), stacks_text(server, {.columns = width})}) {
      for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find('\n', at);
        EXPECT_LE(text_width(std::string_view(text).substr(at, end - at)), width) << text;
        at = end + 1;
      }
      EXPECT_THAT(text, HasSubstr("server.cpp:20")) << width;
    }
  }
}

TEST(live_report_test, the_tree_is_cut_at_the_limit) {
  EXPECT_EQ(stacks_text(a_server(), {.width = 1, .depth = 32}),
            "with below     here  frames  who waits for whom\n"
            "-----------------------------------------------\n"
            "   200,000  120,000     600  serve(stream, int) at /src/server.cpp:10\n"
            "    60,000   40,000     400  ├─ handle(request) at /src/server.cpp:20\n"
            "    20,000   20,000     400  │  └─ acquire(pool&) at /src/server.cpp:30\n"
            "    20,000                   └─ … and 1 more\n"
            "    80,000                   … and 1 more\n");
  EXPECT_THAT(stacks_text(a_server(), {.width = 10, .depth = 1}),
              HasSubstr("    80,000                   └─ … and 2 more below\n"));
}

/// Each waits for the next of the same kind.
live_snapshot recursion(std::uint32_t depth) {
  live_snapshot made;
  made.sites = {site("down(int)", 5, depth, 8)};
  for (std::uint32_t i = 0; i < depth; ++i) {
    made.stacks.push_back({.site = 0, .count = 1, .bytes = 8, .bytes_with_below = std::uint64_t{8} * (depth - i)});
    if (i > 0) made.stacks.back().parent = i - 1;
  }
  return made;
}

TEST(live_report_test, deep_trees_stay_readable) {
  constexpr std::uint32_t depth = 20'000;
  const std::string text = stacks_text(recursion(depth), {.width = 10, .depth = depth});
  EXPECT_THAT(text, HasSubstr("… and 1 more below\n"));
  EXPECT_LT(text.size(), 1'000'000U);
  const std::string folded = folded_text(recursion(depth));
  EXPECT_EQ(std::ranges::count(folded, '\n'), 512);
  EXPECT_THAT(folded, testing::EndsWith(" " + std::to_string(8 * (depth - 511)) + "\n"));
}

TEST(live_report_test, folded_lines_lead_from_the_root_to_the_leaf) {
  EXPECT_EQ(folded_text(a_server()),
            "serve(stream, int):10 80000\n"
            "serve(stream, int):10 120000\n"
            "serve(stream, int):10;handle(request):20 20000\n"
            "serve(stream, int):10;handle(request):20 40000\n"
            "serve(stream, int):10;handle(request):20;acquire(pool&):30 20000\n");
  EXPECT_THAT(folded_text(a_server(), folded_weight::frames), testing::StartsWith("serve(stream, int):10 400\n"));
}

TEST(live_report_test, folded_names_cannot_break_a_line) {
  live_snapshot odd;
  odd.sites = {site("a;b\nc", 0, 1, 8), site("merged()", 1, 1, 8)};
  odd.stacks = {{.site = 0, .count = 1, .bytes = 8, .bytes_with_below = 8},
                {.site = 1, .parent = 0, .count = 1, .bytes = 0, .bytes_with_below = 0}};
  EXPECT_EQ(folded_text(odd), "a:b c 8\n");
}

}  // namespace
