// Snapshots that are grouped by await, and the names of what is awaited.

#include "sched/snapshots.hpp"

#include <tare/await_table.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <sstream>

namespace {

using namespace std::chrono_literals;
using namespace tare::test;
using tare::awaited;
using tare::frame_group;
using tare::task;
using tare::task_snapshot;

/// A frame with a number in it that an artificial table defines as its suspend index.
struct marked {
  introduction who;
  const std::byte* frame = nullptr;
};
class find_mark_awaiter;
struct find_mark {
  using tare_awaiter = find_mark_awaiter;
  marked& to;
};
class find_mark_awaiter {
 public:
  find_mark_awaiter(find_mark request, tare::detail::wait_state& self) {
    introduce_awaiter(introduce{request.to.who}, self);
    request.to.frame = static_cast<const std::byte*>(tare::detail::handle_of(self).address());
  }
  static bool await_ready() noexcept { return true; }
  static void await_suspend(std::coroutine_handle<> /*self*/) noexcept {}
  static void await_resume() noexcept {}
};

constexpr std::uint32_t first_mark = 0x7A12E001;
constexpr std::uint32_t second_mark = 0x7A12E002;

task<> bears(std::uint32_t mark, marked& self) {
  const volatile std::uint32_t kept = mark;
  co_await find_mark{self};
  co_await tare::sleep_for(1h);
  EXPECT_EQ(kept, mark);
}

/// The offset of the mark in the frame.
std::size_t offset_of_mark(const marked& of) {
  for (std::size_t at = 24; at + 4 <= of.who.bytes; at += 4) {
    std::uint32_t number = 0;
    std::memcpy(&number, of.frame + at, sizeof number);
    if (number == first_mark) return at;
  }
  ADD_FAILURE() << "the mark was not found in the frame";
  return 0;
}

/// A table with one coroutine, whose index has 4 bytes at this offset.
tare::await_table table_of(const void* resume, std::size_t offset, char made_by = 'c') {
  tare::await_table table;
  std::ostringstream text;
  text << "tare awaits 1\nbuild ab\nc " << std::hex << std::bit_cast<std::uintptr_t>(resume) << std::dec << " 0 0 "
       << made_by << " 64 64 " << offset << " 4 0 0 bears()\nend\n";
  EXPECT_TRUE(table.add(text.str(), "ab", 0));
  return table;
}

TEST(snapshot, groups_by_suspend_index_where_a_table_says_where_it_is) {
  marked one;
  marked other;
  introduction asleep;
  std::size_t offset = 0;
  const auto observe_with = [&](auto make_options) {
    task_snapshot seen;
    auto observe = [&](tare::scope& s) -> task<> {
      for (int i = 0; i < 30; ++i) s.spawn(bears(first_mark, one));
      for (int i = 0; i < 20; ++i) s.spawn(sleeper(asleep));
      for (int i = 0; i < 50; ++i) s.spawn(bears(second_mark, other));
      co_await tare::yield();
      offset = offset_of_mark(one);
      const tare::snapshot_options options = make_options();
      seen = co_await tare::snapshot(options);
    };
    auto body = [&]() -> task<> { co_await tare::with_scope(observe); };
    run_in_virtual_time(body());
    expect_consistent(seen);
    return seen;
  };
  const auto counts = [&](const task_snapshot& in) {
    std::map<std::optional<std::uint32_t>, std::size_t> all;
    for (const frame_group& each : in.groups) {
      if (each.resume == one.who.resume) all[each.suspend_index] += each.count;
      if (each.resume == asleep.resume) {
        EXPECT_EQ(each.suspend_index, std::nullopt) << "the table does not contain it";
      }
    }
    return all;
  };
  using expected = std::map<std::optional<std::uint32_t>, std::size_t>;

  tare::await_table table;
  const auto with_table = [&](std::size_t more, char made_by) {
    return observe_with([&, more, made_by] {
      table = table_of(one.who.resume, offset + more, made_by);
      tare::snapshot_options options;
      options.awaits = &table;
      return options;
    });
  };
  EXPECT_EQ(counts(with_table(0, 'c')), (expected{{first_mark, 30}, {second_mark, 50}}));
  EXPECT_EQ(counts(with_table(0, 'g')), (expected{{std::nullopt, 30}, {second_mark, 50}})) << "odd: being destroyed";
  EXPECT_EQ(counts(with_table(1 << 16, 'c')), (expected{{std::nullopt, 80}})) << "outside the frame";
  EXPECT_EQ(counts(with_table(one.who.bytes - offset, 'c')), (expected{{std::nullopt, 80}})) << "just after it";
  EXPECT_EQ(counts(observe_with([] { return tare::snapshot_options(); })), (expected{{std::nullopt, 80}}));
}

TEST(snapshot, names_what_is_awaited) {
  EXPECT_EQ(name_of(awaited::start), "start");
  EXPECT_EQ(name_of(awaited::descriptor), "descriptor");
  EXPECT_EQ(name_of(awaited::unknown), "unknown");
}

}  // namespace
