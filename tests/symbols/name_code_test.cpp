#include <tare/symbols.hpp>
#include <tare/tare.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <string>
#include <vector>

namespace shop {

using namespace std::chrono_literals;

constexpr unsigned line_of_serve = __LINE__ + 1;
tare::task<> serve(int client) { co_await tare::sleep_for(std::chrono::hours(client)); }

struct till {
  static constexpr unsigned line_of_count = __LINE__ + 1;
  tare::task<int> count(std::string what) {
    co_await tare::sleep_for(1h);
    co_return static_cast<int>(what.size());
  }
};

template <std::integral T>  // a constraint is part of the symbol, which not every standard library can demangle
tare::task<> keep(T value) {
  co_await tare::sleep_for(1h);
  (void)value;
}
constexpr unsigned line_of_keep = __LINE__ - 4;

namespace {

constexpr unsigned line_of_hidden = __LINE__ + 1;
tare::task<> hidden() { co_await tare::sleep_for(1h); }

}  // namespace

/// The names of all sleeping coroutines.
tare::code_names sleepers() {
  tare::code_names named;
  auto observe = [&](tare::scope& s) -> tare::task<> {
    till till;
    s.spawn(serve(3));
    s.spawn(till.count("nails"));
    s.spawn(keep(3L));
    s.spawn(hidden());
    auto unnamed = [](int hours) -> tare::task<> { co_await tare::sleep_for(std::chrono::hours(hours)); };
    s.spawn(unnamed(3));
    co_await tare::yield();
    const tare::task_snapshot seen = co_await tare::snapshot();
    std::vector<const void*> addresses;
    for (const tare::frame_group& each : seen.groups) {
      if (each.waiting_for == tare::awaited::timer) addresses.push_back(each.resume);
    }
    auto name = [&] { return tare::name_code(addresses); };
    named = co_await tare::offload(name);
    s.cancel();
  };
  auto body = [&]() -> tare::task<> { co_await tare::with_scope(observe); };
  tare::run(body());
  return named;
}

const tare::code_name& the_one_with(const tare::code_names& in, const std::string& part) {
  static const tare::code_name none;
  const auto found =
      std::ranges::find_if(in.names, [&](const auto& each) { return each.function.find(part) != std::string::npos; });
  EXPECT_NE(found, in.names.end()) << part;
  return found == in.names.end() ? none : *found;
}

void expect_place(const tare::code_name& of, unsigned line) {
  EXPECT_THAT(of.file, testing::EndsWith("tests/symbols/name_code_test.cpp"));
  EXPECT_EQ(of.line, line) << of.function;
  EXPECT_THAT(of.module, testing::EndsWith("/symbols_test"));
}

TEST(name_code, gives_function_file_and_line_of_coroutines) {
  const tare::code_names named = sleepers();
  EXPECT_THAT(named.notes, testing::IsEmpty());
  ASSERT_EQ(named.names.size(), 5U);
  expect_place(the_one_with(named, "shop::serve(int)"), line_of_serve);
  expect_place(the_one_with(named, "shop::till::count(std::__cxx11::basic_string"), till::line_of_count);
  expect_place(the_one_with(named, "shop::keep<long>"), line_of_keep);
  expect_place(the_one_with(named, "shop::(anonymous namespace)::hidden()"), line_of_hidden);
  const auto unnamed = std::ranges::find_if(
      named.names, [](const auto& each) { return each.function.find("operator()(int)") != std::string::npos; });
  ASSERT_NE(unnamed, named.names.end());
  EXPECT_THAT(unnamed->file, testing::EndsWith("tests/symbols/name_code_test.cpp"));
}

TEST(name_code, of_addresses_that_are_no_code) {
  int local = 0;
  const std::array<const void*, 2> addresses{nullptr, &local};
  const tare::code_names named = tare::name_code(addresses);
  ASSERT_EQ(named.names.size(), 2U);
  EXPECT_EQ(named.names[0], tare::code_name());
  EXPECT_EQ(named.names[1].function, "");
  EXPECT_EQ(named.names[1].line, 0U);
}

TEST(name_code, of_nothing) {
  const tare::code_names named = tare::name_code({});
  EXPECT_TRUE(named.names.empty());
  EXPECT_TRUE(named.notes.empty());
}

}  // namespace shop
