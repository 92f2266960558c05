#include "cli/live_screen.hpp"

#include "cli/text_width.hpp"
#include "snapshots.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using cli_test::a_server;
using cli_test::site;
using tare::cli::live_screen;
using tare::cli::screen_key;
using tare::cli::screen_line;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using key = screen_key::kind;
using look = screen_line::look;

class live_screen_test : public testing::Test {
 protected:
  live_screen_test() {
    screen_.resize(20, 100);
    screen_.show(a_server());
  }

  void type(std::string_view text) {
    for (const char c : text) screen_.press({.what = key::character, .character = static_cast<char32_t>(c)});
  }
  void press(key what) { screen_.press({.what = what}); }

  std::string text() const {
    std::string all;
    for (const auto& line : screen_.lines()) all += line.text + '\n';
    return all;
  }

  /// The first words of the names in the body, in their order.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& line : body()) {
      for (const char* name : {"serve(", "handle(", "acquire(", "other("}) {
        const auto at = line.text.find(name);
        if (at != std::string::npos) all.push_back(line.text.substr(at, line.text.find('(', at) - at));
      }
    }
    return all;
  }

  /// What is between the head of the table and the last line.
  std::vector<screen_line> body() const {
    const auto lines = screen_.lines();
    const auto head = std::ranges::find(lines, look::head, &screen_line::how);
    std::vector<screen_line> all;
    if (head == lines.end()) return all;
    for (auto at = head + 1; at + 1 < lines.end(); ++at) {
      if (!at->text.empty()) all.push_back(*at);
    }
    return all;
  }

  std::string selected() const {
    const auto lines = screen_.lines();
    const auto found = std::ranges::find(lines, look::selected, &screen_line::how);
    return found == lines.end() ? "" : found->text;
  }

  live_screen screen_{2s};
};

TEST_F(live_screen_test, shows_the_figures_and_the_heaviest_site_first) {
  const auto lines = screen_.lines();
  ASSERT_EQ(lines.size(), 20U);
  EXPECT_EQ(lines[0].text,
            "server (process 42): 2.0 MB in memory, 280,000 bytes of it (14.0 %) in 2,000 suspended frames");
  EXPECT_EQ(lines[0].how, look::bold);
  EXPECT_EQ(lines[1].text, "stopped for 52 ms, 1.5 MB looked through in 400 ms");
  EXPECT_EQ(lines[2].text, "every 2 s, by bytes");
  EXPECT_THAT(lines[3].text, StartsWith("  bytes    share  count  each  growth  suspended in"));
  EXPECT_THAT(lines[4].text, StartsWith("200,000   71.4 %  1,000   200          serve(stream, int)  server.cpp:10"));
  EXPECT_THAT(lines[19].text, StartsWith("q quit  ? help"));
  EXPECT_THAT(names(), testing::ElementsAre("serve", "handle", "acquire"));
}

TEST_F(live_screen_test, keys_choose_the_order) {
  auto server = a_server();
  server.sites.push_back(site("other(int)", 5, 1, 900));
  server.sites[2].count = 5'000;
  screen_.show(server);
  const std::pair<const char*, std::vector<std::string>> orders[] = {
      {"t", {"serve", "handle", "acquire", "other"}}, {"c", {"acquire", "serve", "handle", "other"}},
      {"e", {"other", "serve", "handle", "acquire"}}, {"n", {"acquire", "handle", "other", "serve"}},
      {"g", {"other", "serve", "handle", "acquire"}},
  };
  for (const auto& [pressed, expected] : orders) {
    type(pressed);
    EXPECT_EQ(names(), expected) << pressed;
  }
}

TEST_F(live_screen_test, growth_is_counted_from_the_first_snapshot) {
  auto server = a_server();
  server.sites[2].total_bytes += 7'000;
  screen_.show(server);
  server.sites[1].total_bytes -= 500;
  server.sites[2].total_bytes += 2'000;
  screen_.show(server);
  type("g");
  EXPECT_THAT(names(), testing::ElementsAre("acquire", "serve", "handle"));
  EXPECT_THAT(text(), HasSubstr("  +9,000  acquire(pool&)"));
  EXPECT_THAT(text(), HasSubstr("    -500  handle(request)"));
  EXPECT_THAT(text(), HasSubstr("every 2 s, by growth"));
}

TEST_F(live_screen_test, a_filter_hides_what_does_not_have_its_text) {
  type("/HAND");
  EXPECT_THAT(screen_.lines().back().text, StartsWith("show only: HAND_"));
  EXPECT_THAT(names(), testing::ElementsAre("handle"));
  EXPECT_THAT(text(), HasSubstr("1 of 3 places contain 'HAND'"));
  press(key::backspace);
  press(key::backspace);
  press(key::backspace);
  press(key::backspace);
  press(key::backspace);
  EXPECT_THAT(names(), testing::ElementsAre("serve", "handle", "acquire"));
  type("q");  // a letter here, and no command
  press(key::enter);
  EXPECT_FALSE(screen_.quits());
  EXPECT_THAT(names(), testing::ElementsAre("handle", "acquire"));
  EXPECT_THAT(screen_.lines().back().text, StartsWith("q quit"));
  press(key::escape);
  EXPECT_THAT(names(), testing::ElementsAre("serve", "handle", "acquire"));
  type("/nothing has this");
  EXPECT_THAT(text(), HasSubstr("no place contains this text"));
  press(key::escape);
  EXPECT_THAT(names(), testing::ElementsAre("serve", "handle", "acquire"));
  type("/SERVER.cpp");
  EXPECT_THAT(names(), testing::ElementsAre("serve", "handle", "acquire")) << "their file has it";
}

TEST_F(live_screen_test, characters_of_several_bytes_are_typed_and_removed_whole) {
  type("/");
  for (const char32_t c : {U'\u00e9', U'\u4e16', U'\U0001F980'})
    screen_.press({.what = key::character, .character = c});
  EXPECT_THAT(text(), HasSubstr("show only: \u00e9\u4e16\U0001F980_"));
  press(key::backspace);
  press(key::backspace);
  EXPECT_THAT(text(), HasSubstr("show only: \u00e9_"));
}

TEST_F(live_screen_test, a_site_opens_to_who_waits_for_it) {
  press(key::end);
  EXPECT_THAT(selected(), HasSubstr("acquire(pool&)"));
  press(key::enter);
  const auto lines = body();
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_THAT(lines[3].text, StartsWith(" 20,000             400                └ handle(request)  server.cpp:20"));
  EXPECT_THAT(lines[4].text,
              StartsWith(" 20,000             400                  └ serve(stream, int)  server.cpp:10"));
  press(key::down);
  EXPECT_THAT(selected(), HasSubstr("└ handle(request)"));
  press(key::left);
  EXPECT_EQ(body().size(), 3U);
  EXPECT_THAT(selected(), HasSubstr("acquire(pool&)"));
  press(key::right);
  press(key::right);
  EXPECT_EQ(body().size(), 5U) << "once open it stays open";
  press(key::enter);
  EXPECT_EQ(body().size(), 3U);
  press(key::home);
  press(key::enter);
  EXPECT_THAT(text(), HasSubstr("└ no coroutine waits for these"));
}

TEST_F(live_screen_test, the_selection_stays_with_its_site) {
  press(key::down);
  press(key::right);
  press(key::down);
  EXPECT_THAT(selected(), HasSubstr("└ serve(stream, int)"));
  auto server = a_server();
  server.sites.push_back(site("other(int)", 5, 1'000'000, 9));
  std::swap(server.sites[0], server.sites[3]);
  for (auto& node : server.stacks) node.site = node.site == 0 ? 3 : node.site;
  screen_.show(server);
  EXPECT_THAT(names(), testing::ElementsAre("other", "serve", "handle", "serve", "acquire"));
  EXPECT_EQ(selected(), body().at(3).text);
  server.sites[1].function = "gone";
  screen_.show(server);
  EXPECT_NE(selected(), "") << "something is selected, even if what was is gone";
  screen_.show({});
  EXPECT_THAT(text(), HasSubstr("no suspended coroutine found"));
  press(key::enter);
  press(key::down);
}

TEST_F(live_screen_test, whoever_has_selected_nothing_sees_what_comes_first) {
  auto server = a_server();
  server.sites[2].total_bytes = 1'000'000;
  screen_.show(server);
  EXPECT_THAT(selected(), HasSubstr("acquire(pool&)"));
}

TEST_F(live_screen_test, scrolls_to_the_selection) {
  auto server = a_server();
  server.sites.clear();
  server.stacks.clear();
  for (std::uint32_t i = 0; i < 100; ++i) server.sites.push_back(site("f" + std::to_string(i) + "()", 1, 1, 1'000 - i));
  screen_.show(server);
  EXPECT_EQ(body().size(), 15U);
  press(key::page_down);
  EXPECT_THAT(selected(), HasSubstr("f14()"));
  press(key::down);
  EXPECT_THAT(selected(), HasSubstr("f15()"));
  EXPECT_THAT(body().front().text, HasSubstr("f1()"));
  press(key::end);
  EXPECT_THAT(selected(), HasSubstr("f99()"));
  EXPECT_EQ(body().size(), 15U);
  screen_.resize(40, 100);
  EXPECT_EQ(body().size(), 35U) << "a larger screen leaves no room empty";
  screen_.resize(6, 100);
  EXPECT_THAT(selected(), HasSubstr("f99()"));
  press(key::home);
  press(key::up);
  EXPECT_THAT(selected(), HasSubstr("f0()"));
}

TEST_F(live_screen_test, pause_interval_help_and_quit) {
  EXPECT_FALSE(screen_.paused());
  type("p");
  EXPECT_TRUE(screen_.paused());
  EXPECT_THAT(text(), HasSubstr("\npaused, by bytes"));
  type("p");
  EXPECT_FALSE(screen_.paused());
  type("+");
  EXPECT_EQ(screen_.interval(), 5s);
  type("---");
  EXPECT_EQ(screen_.interval(), 500ms);
  EXPECT_THAT(text(), HasSubstr("\nevery 0.5 s, by bytes"));
  for (int i = 0; i < 20; ++i) type("-");
  EXPECT_EQ(screen_.interval(), 200ms);
  for (int i = 0; i < 20; ++i) type("+");
  EXPECT_EQ(screen_.interval(), 60s);
  type("?");
  EXPECT_THAT(text(), HasSubstr("q  quit"));
  EXPECT_THAT(text(), Not(HasSubstr("serve(")));
  type("?");
  EXPECT_THAT(text(), HasSubstr("serve("));
  type("z");
  EXPECT_FALSE(screen_.quits());
  type("q");
  EXPECT_TRUE(screen_.quits());
}

TEST_F(live_screen_test, an_interval_of_ones_own_goes_to_the_next_step) {
  live_screen other(3s);
  other.press({.what = key::character, .character = U'-'});
  EXPECT_EQ(other.interval(), 2s);
  live_screen another(3s);
  another.press({.what = key::character, .character = U'+'});
  EXPECT_EQ(another.interval(), 5s);
}

TEST_F(live_screen_test, no_size_is_too_small) {
  auto server = a_server();
  server.sites.push_back(site("\u4e16\u754c::\xff(std::vector<std::pair<std::string, std::string>>, int)", 3, 3, 3));
  server.sites.back().kind = tare::inspect::suspension::initial;
  server.uncertain = 3;
  screen_.show(server);
  press(key::right);
  for (const char* mode : {"", "?", "/x"}) {
    type(mode);
    for (std::size_t height = 0; height < 30; ++height) {
      for (std::size_t width = 0; width < 130; ++width) {
        screen_.resize(height, width);
        const auto lines = screen_.lines();
        ASSERT_LE(lines.size(), height);
        for (const auto& line : lines) {
          ASSERT_LE(tare::cli::text_width(line.text), width) << height << " x " << width << ": " << line.text;
          ASSERT_EQ(line.text.find('\n'), std::string::npos);
        }
        press(key::down);
        press(key::page_up);
      }
    }
  }
  screen_.resize(4, 80);
  EXPECT_THAT(text(), HasSubstr("the terminal is too small"));
}

TEST_F(live_screen_test, a_narrow_screen_keeps_names_and_bytes) {
  screen_.resize(20, 44);
  EXPECT_THAT(screen_.lines()[3].text, StartsWith("  bytes  suspended in"));
  EXPECT_THAT(body()[0].text, StartsWith("200,000  serve(stream, int)  server.cpp:10"));
  type("c");
  EXPECT_THAT(screen_.lines()[3].text, StartsWith("  bytes  count  suspended in"));
}

}  // namespace
