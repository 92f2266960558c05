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
  EXPECT_THAT(await_lines(source, 2, "first"), ::testing::ElementsAre(3));
  EXPECT_THAT(await_lines(source, 5, "second"), ::testing::ElementsAre(5, 7, 9, 9));
  EXPECT_THAT(await_lines(source, 11, "third"), ::testing::ElementsAre(11));
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
  EXPECT_THAT(await_lines(source, 1, "f"), ::testing::ElementsAre(6));
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
  EXPECT_THAT(await_lines(source, 2, "f"), ::testing::ElementsAre(3, 8));
  EXPECT_THAT(await_lines(source, 4, ""), ::testing::ElementsAre(5));
  EXPECT_THAT(await_lines(source, 6, ""), ::testing::ElementsAre(6));
}

TEST(await_lines, a_body_begins_behind_parameters_and_requirements) {
  constexpr std::string_view source = R"(
task<> f(int n, options o = {}, callback c = [] { return 1; }) {
  co_await a();
}
template <class T> requires (sizeof(T) > 1) task<> g(T t) requires C<T> && requires(T x) { x.go(); } || D<T> {
  co_await b();
}
struct s { task<> h() noexcept(noexcept(s{})) { co_await c(); } task<> i() { h(); co_await d(); }
  task<> operator()(int) const requires requires { typename T::x; } {
    co_await e();
  }
};
task<> f(int n) try { co_await a(); } catch (...) {}
)";
  EXPECT_THAT(await_lines(source, 2, "f"), ::testing::ElementsAre(3));
  EXPECT_THAT(await_lines(source, 5, "g"), ::testing::ElementsAre(6));
  EXPECT_THAT(await_lines(source, 8, "h"), ::testing::ElementsAre(8));
  EXPECT_THAT(await_lines(source, 8, "i"), ::testing::ElementsAre(8));
  EXPECT_THAT(await_lines(source, 9, "operator()"), ::testing::ElementsAre(10));
  EXPECT_THAT(await_lines(source, 13, "f"), ::testing::ElementsAre(13));
  // No function with this name is declared there.
  EXPECT_THAT(await_lines(source, 5, "f"), ::testing::IsEmpty());
  EXPECT_THAT(await_lines(source, 3, "a"), ::testing::IsEmpty());
}

TEST(await_lines, lambdas_that_are_waited_for_at_once_keep_theirs) {
  constexpr std::string_view source = R"(
task<> f(int n) {
  co_await [](int k) -> task<> {
    co_await a(k);
  }(n);
  co_return [] { return co_await b(); }();
}
task<> g() { run([] { return [] { co_await a(); }; }); co_await b(); }
task<> h() { run([] { co_await a(); },
                 [] { co_await a(); }); run([] { co_await b(); }, [] {
  co_await c(); }); }
)";
  EXPECT_THAT(await_lines(source, 2, "f"), ::testing::ElementsAre(3));
  EXPECT_THAT(await_lines(source, 3, ""), ::testing::ElementsAre(4));
  EXPECT_THAT(await_lines(source, 8, ""), ::testing::ElementsAre(8));
  EXPECT_THAT(await_lines(source, 8, "g"), ::testing::ElementsAre(8));
  EXPECT_THAT(await_lines(source, 9, ""), ::testing::ElementsAre(9));
  // Several coroutines begin there, and their awaits are on different lines.
  EXPECT_THAT(await_lines(source, 10, ""), ::testing::IsEmpty());
}

TEST(await_lines, members_of_local_classes_keep_theirs) {
  constexpr std::string_view source = R"(
task<> f(int n) {
  struct local final : base<int> {
    task<> member() {
      co_await a();
    }
  } object;
  struct stat s{co_await b()};
  class other;
  co_await object.member();
}
)";
  EXPECT_THAT(await_lines(source, 2, "f"), ::testing::ElementsAre(8, 10));
  EXPECT_THAT(await_lines(source, 4, "member"), ::testing::ElementsAre(5));
}

TEST(await_lines, what_does_not_end_has_none) {
  EXPECT_THAT(await_lines("task<> f() {\n  co_await a();\n", 1, "f"), ::testing::IsEmpty());
  EXPECT_THAT(await_lines("task<> f();\n", 1, "f"), ::testing::IsEmpty());
  EXPECT_THAT(await_lines("task<> f() { \"co_await", 1, "f"), ::testing::IsEmpty());
  EXPECT_THAT(await_lines("", 1, "f"), ::testing::IsEmpty());
  EXPECT_THAT(await_lines("task<> f() {}", 7, "f"), ::testing::IsEmpty());
}

}  // namespace
}  // namespace tare::inspect
