// Tasks that are used again after they have been moved from, awaited or spawned; and tasks that are never used.

#include <tare/detail/link.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

task<> nothing() { co_return; }
task<int> one() { co_return 1; }

/// A task without a frame.
template <class T>
task<T> emptied(task<T> full) {
  const task<T> taken = std::move(full);
  return full;  // NOLINT(bugprone-use-after-move): what is tested
}

struct use {
  std::string call;
  std::function<task<>()> misuse;
};

std::vector<use> uses() {
  return {
      {"co_await of", []() -> task<> { co_await emptied(nothing()); }},
      {"co_await of", []() -> task<> { (void)co_await emptied(one()); }},
      {"co_await of",
       []() -> task<> {
         auto twice = one();
         (void)co_await std::move(twice);
         (void)co_await std::move(twice);  // NOLINT(bugprone-use-after-move)
       }},
      {"shield of", []() -> task<> { (void)co_await tare::shield(emptied(one())); }},
      {"spawn of",
       []() -> task<> {
         tare::spawn(emptied(nothing()));
         co_return;
       }},
      {"spawn_on of",
       []() -> task<> {
         tare::spawn_on(1, emptied(nothing()));
         co_return;
       }},
      {"scope::spawn of",
       []() -> task<> {
         tare::scope s;
         s.spawn(emptied(one()));
         co_await s.join();
       }},
      {"scope::spawn_on of",
       []() -> task<> {
         tare::scope s;
         s.spawn_on(1, emptied(nothing()));
         co_await s.join();
       }},
      {"with_scope of", []() -> task<> { co_await tare::with_scope([](tare::scope&) { return emptied(nothing()); }); }},
      {"when_all of", []() -> task<> { (void)co_await tare::when_all(one(), emptied(one())); }},
      {"when_any of", []() -> task<> { (void)co_await tare::when_any(emptied(one()), one()); }},
      {"when_all of",
       []() -> task<> {
         std::vector<task<int>> tasks;
         tasks.push_back(one());
         tasks.push_back(emptied(one()));
         (void)co_await tare::when_all(std::move(tasks));
       }},
      {"timeout of", []() -> task<> { (void)co_await tare::timeout(1s, emptied(one())); }},
  };
}

class empty_task_death : public testing::TestWithParam<std::size_t> {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_P(empty_task_death, ends_the_program_with_the_name_of_the_call) {
  const use wrong = uses().at(GetParam());
  EXPECT_DEATH(
      {
        tare::runtime rt({.shards = 2});
        rt.run(wrong.misuse());
      },
      "tare: " + wrong.call + " an empty task");
}

INSTANTIATE_TEST_SUITE_P(calls, empty_task_death, testing::Range<std::size_t>(0, uses().size()));

TEST(empty_task_run_death, ends_the_program_with_the_name_of_the_call) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(tare::run(emptied(one())), "tare: run of an empty task");
  EXPECT_DEATH(
      {
        tare::runtime rt;
        rt.spawn_on(0, emptied(nothing()));
      },
      "tare: spawn_on of an empty task");
}

TEST(no_link_death, traps_when_it_is_followed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto unused = nothing();  // the arena exists
  EXPECT_DEATH(
      {
        volatile char* const nowhere = tare::detail::from_link<volatile char>(tare::detail::no_link);
        (void)*nowhere;
      },
      "");
}

struct counted_deep {
  explicit counted_deep(int& of) : live(&of) { ++*live; }
  counted_deep(const counted_deep&) = delete;
  counted_deep& operator=(const counted_deep&) = delete;
  counted_deep(counted_deep&& other) noexcept : live(std::exchange(other.live, nullptr)) {}
  ~counted_deep() {
    if (live != nullptr) --*live;
  }
  int* live;
};

task<> holds(counted_deep /*here*/, std::vector<task<>> /*inner*/) { co_return; }

TEST(unstarted_task, may_hold_others_to_any_depth) {
  int live = 0;
  {
    task<> outer = nothing();
    for (int i = 0; i < 1'000'000; ++i) {
      std::vector<task<>> inner;
      inner.push_back(std::move(outer));
      outer = holds(counted_deep(live), std::move(inner));
    }
    EXPECT_EQ(live, 1'000'000);
  }
  EXPECT_EQ(live, 0);
}

TEST(unstarted_task, may_hold_many_at_each_depth) {
  int live = 0;
  {
    task<> outer = nothing();
    for (int i = 0; i < 2'000; ++i) {
      std::vector<task<>> inner;
      inner.push_back(std::move(outer));
      for (int k = 0; k < 10; ++k) inner.push_back(holds(counted_deep(live), {}));
      outer = holds(counted_deep(live), std::move(inner));
    }
    EXPECT_EQ(live, 22'000);
  }
  EXPECT_EQ(live, 0);
}

// Types that may be returned as a reference.
struct base {};
struct derived : base {};
struct refers {
  base* to;
  operator base&() const { return *to; }  // NOLINT(google-explicit-constructor): that is what is tested
};
template <class U, class T>
constexpr bool may_return = tare::detail::outlives_return<U, T>;
std::string kept = "kept";
task<const std::string&> gives_kept() { co_return kept; }
task<std::string&> gives_wrapped() { co_return std::ref(kept); }

TEST(reference_result, must_not_refer_to_a_temporary) {
  EXPECT_TRUE((may_return<std::string&, std::string&>));
  EXPECT_TRUE((may_return<std::string&, const std::string&>));
  EXPECT_TRUE((may_return<const std::string&, const std::string&>));
  EXPECT_TRUE((may_return<derived&, const base&>));
  EXPECT_TRUE((may_return<std::string, std::string&&>));
  EXPECT_TRUE((may_return<refers, base&>));
  EXPECT_TRUE((may_return<std::reference_wrapper<std::string>, std::string&>));
  EXPECT_TRUE((may_return<const char (&)[2], std::string>));
  EXPECT_FALSE((may_return<const char (&)[2], const std::string&>));
  EXPECT_FALSE((may_return<const char (&)[2], std::string&&>));
  EXPECT_FALSE((may_return<std::string, const std::string&>));
  EXPECT_FALSE((may_return<int&, const long&>));
  EXPECT_FALSE((may_return<derived, const base&>));
}

TEST(reference_result, is_what_was_returned) {
  auto body = []() -> task<> {
    EXPECT_EQ(&co_await gives_kept(), &kept);
    EXPECT_EQ(&co_await gives_wrapped(), &kept);
  };
  tare::run(body());
}

}  // namespace
