// Selects that name one primitive twice, or end by an exception.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

class select_twice_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

TEST_F(select_twice_test, over_one_timer_ends_when_it_expires) {
  auto body = [&]() -> task<> {
    tare::timer idle(1s);
    for (int round = 0; round < 3; ++round) {
      const auto got = co_await tare::select(idle.wait(), idle.wait());
      EXPECT_LT(got.index(), 2U);
      EXPECT_TRUE(idle.has_expired());
      idle.reset();
    }
    tare::event never;
    std::vector<tare::timer::wait_request> waits;
    waits.push_back(idle.wait());
    waits.push_back(idle.wait());
    const auto got = co_await tare::select(std::move(waits));
    EXPECT_LT(got.first, 2U);
    EXPECT_TRUE(idle.has_expired());
    idle.reset();
    co_await idle.wait();  // nothing has remained
  };
  rt_.run(body());
}

TEST_F(select_twice_test, over_one_timer_leaves_no_alarm_if_another_request_or_a_cancellation_ends_it) {
  auto body = [&](bool cancelled) -> task<> {
    tare::timer idle(1s);
    for (int round = 0; round < 4; ++round) {
      tare::event other;
      std::optional<std::size_t> chosen;
      auto waits = [&]() -> task<> {
        const auto got = co_await tare::select(idle.wait(), idle.wait(), other.wait());
        chosen = got.index();
      };
      idle.reset();
      const auto began = tare::now();
      co_await tare::with_scope([&](tare::scope& s) -> task<> {
        s.spawn(waits());
        co_await tare::sleep_for(500ms);
        if (cancelled) {
          s.cancel();
        } else {
          other.set();
        }
      });
      EXPECT_EQ(chosen, cancelled ? std::nullopt : std::optional<std::size_t>(2));
      EXPECT_LT(tare::now() - began, 600ms);
      // An alarm that had remained would expire in this wait, in whichever round uses its memory.
      co_await idle.wait();
      EXPECT_GE(tare::now() - began, 1s);
      EXPECT_LT(tare::now() - began, 1100ms);
    }
  };
  for (const bool cancelled : {false, true}) rt_.run(body(cancelled));
}

TEST_F(select_twice_test, a_value_to_be_sent_comes_back_if_another_request_is_refused) {
  auto body = [&](bool put_first) -> task<bool> {
    tare::channel<std::unique_ptr<int>> out(0);
    const tare::handle<int> empty;
    auto put = out.send(std::make_unique<int>(4));
    bool refused = false;
    try {
      if (put_first) {
        (void)co_await tare::select(put, empty.join());
      } else {
        (void)co_await tare::select(empty.join(), put);
      }
    } catch (const std::logic_error&) {
      refused = true;
    }
    co_return refused&& put.value != nullptr;
  };
  EXPECT_TRUE(rt_.run(body(true)));
  EXPECT_TRUE(rt_.run(body(false)));
}

TEST_F(select_twice_test, a_vector_with_an_empty_handle_is_refused_and_leaves_nothing) {
  std::weak_ptr<int> result;
  auto makes = [&]() -> task<std::shared_ptr<int>> {
    auto made = std::make_shared<int>(10);
    result = made;
    co_await tare::yield();
    co_return made;
  };
  auto body = [&]() -> task<bool> {
    tare::scope s;
    bool refused = false;
    {
      auto h = s.spawn_handle(makes());
      const tare::handle<std::shared_ptr<int>> empty;
      try {
        std::vector joins{h.join(), empty.join()};
        (void)co_await tare::select(std::move(joins));
      } catch (const std::logic_error&) {
        refused = true;
      }
      co_await s.join();
    }
    co_return refused;
  };
  EXPECT_TRUE(rt_.run(body()));
  EXPECT_TRUE(result.expired());  // nobody refers to it any more
}

}  // namespace
