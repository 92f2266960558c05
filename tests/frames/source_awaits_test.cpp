// Where the awaits of a coroutine are in its source.

#include "inspect/coroutine/source_awaits.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tare::inspect {
namespace {

TEST(await_lines, are_those_of_the_body_that_begins_on_the_line) {
  constexpr std::string_view source = R"(
task<int> first() {
  co_await a();
}
task<int> second() { int r = co_await b();
  if (r > 3) {
    co_yield 3;
  }
  co_return co_await c() + co_await d();
}
task<> third() { co_await e(); }
)";
  EXPECT_THAT(await_lines(source, 2, false), ::testing::ElementsAre(3));
  EXPECT_THAT(await_lines(source, 5, false), ::testing::ElementsAre(5, 7, 9, 9));
  EXPECT_THAT(await_lines(source, 11, false), ::testing::ElementsAre(11));
}

TEST(await_lines, comments_and_literals_have_none) {
  constexpr std::string_view source =
      "task<> f(int n = 1'000) {\n"
      "  // co_await x }\n"
      "  /* co_await\n"
      "     } */\n"
      "  use(\"co_await }\", '}', '\\'', R\"x(co_await } )\" )x\");\n"
      "  co_await last();\n"
      "  int not_co_await = 1'0;\n"
      "}\n";
  EXPECT_THAT(await_lines(source, 1, false), ::testing::ElementsAre(6));
}

TEST(await_lines, lambdas_keep_theirs) {
  constexpr std::string_view source = R"(
task<> f(std::vector<int> values) {
  [[maybe_unused]] int x = values[co_await index()];
  auto inner = [&](int n) -> task<> {
    co_await g(n);
    auto innermost = []() -> task<> { co_await h(); };
  };
  co_await inner(values[0]);
}
)";
  EXPECT_THAT(await_lines(source, 2, false), ::testing::ElementsAre(3, 8));
  EXPECT_THAT(await_lines(source, 4, true), ::testing::ElementsAre(5));
  EXPECT_THAT(await_lines(source, 6, true), ::testing::ElementsAre(6));
}

TEST(await_lines, what_does_not_end_has_none) {
  EXPECT_THAT(await_lines("task<> f() {\n  co_await a();\n", 1, false), ::testing::IsEmpty());
  EXPECT_THAT(await_lines("task<> f();\n", 1, false), ::testing::IsEmpty());
  EXPECT_THAT(await_lines("task<> f() { \"co_await", 1, false), ::testing::IsEmpty());
  EXPECT_THAT(await_lines("", 1, false), ::testing::IsEmpty());
  EXPECT_THAT(await_lines("task<> f() {}", 7, false), ::testing::IsEmpty());
}

}  // namespace
}  // namespace tare::inspect
