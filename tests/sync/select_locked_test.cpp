// A select while another thread holds the lock of one of its arms.

#include <tare/select.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <utility>
#include <variant>

namespace {

using namespace std::chrono_literals;
using tare::task;

enum class phase : std::uint8_t { before, pauses, inside };

/// The first move after `pauses` has been set takes 20 ms. A channel moves values while it holds its lock.
struct slow_to_move {
  explicit slow_to_move(int value, std::atomic<phase>* at) noexcept : number(value), progress(at) {}
  slow_to_move(slow_to_move&& other) noexcept : number(other.number), progress(other.progress) {
    phase expected = phase::pauses;
    if (progress->compare_exchange_strong(expected, phase::inside)) std::this_thread::sleep_for(20ms);
  }
  slow_to_move& operator=(slow_to_move&&) noexcept = default;
  slow_to_move(const slow_to_move&) = delete;
  slow_to_move& operator=(const slow_to_move&) = delete;
  ~slow_to_move() = default;

  int number;
  std::atomic<phase>* progress;
};

using channels = std::array<tare::channel<slow_to_move>, 2>;

/// Selects over both while the channel `locked` is locked by a thread that sends a value to it. The arm `first` is
/// locked first: if it has the higher address, the select may not wait for the lock of the other while it holds that.
task<> select_while_locked(std::size_t locked, std::size_t first) {
  std::atomic<phase> progress = phase::before;
  channels both{tare::channel<slow_to_move>(1), tare::channel<slow_to_move>(1)};
  slow_to_move sent(7, &progress);
  progress = phase::pauses;
  std::jthread sender([&] { EXPECT_TRUE(both.at(locked).try_send(sent)); });
  while (progress != phase::inside) co_await tare::yield();
  auto got = co_await tare::select_in_order(both.at(first).receive(), both.at(1 - first).receive());
  EXPECT_EQ(got.index(), locked == first ? 0U : 1U);
  const auto& received = got.index() == 0 ? std::get<0>(got) : std::get<1>(got);
  EXPECT_TRUE(received.has_value());
  if (received) {
    EXPECT_EQ(received->number, 7);
  }
  // Neither channel has lost a value, or has one that nobody sent; and neither has kept its lock.
  for (auto& each : both) EXPECT_FALSE(each.try_receive());
}

TEST(select_locked_test, gets_the_value_whichever_arm_is_locked_and_in_whichever_order_it_tries_them) {
  for (const std::size_t locked : {0U, 1U}) {
    for (const std::size_t first : {0U, 1U}) {
      SCOPED_TRACE(testing::Message() << "locked: " << locked << ", first: " << first);
      tare::run(select_while_locked(locked, first));
    }
  }
}

}  // namespace
