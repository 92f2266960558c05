// The primitives under every fault of small scenarios: whatever is cancelled, refused or late, nothing is lost, and
// nothing waits forever.

#include "sim/explored.hpp"

#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::scope;
using tare::task;
using tare::sim::world;

/// Calls a function when it is destroyed, however a task ends.
class at_end {
 public:
  explicit at_end(std::function<void()> call) : call_(std::move(call)) {}
  at_end(const at_end&) = delete;
  at_end& operator=(const at_end&) = delete;
  ~at_end() { call_(); }

 private:
  std::function<void()> call_;
};

void explore_all(const std::string& name, const tare::sim::scenario& body) {
  std::printf("%s: ", name.c_str());
  const auto seen = tare::testing::explore_every_fault(body);
  EXPECT_GT(seen.awaits.tried, 0U);
}

/// The tasks of a scenario in a scope. Whatever one of them throws because of a fault, the others go on.
task<> in_scope(std::function<task<>(scope&)> body) {
  try {
    co_await tare::with_scope(std::move(body));
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): the fault
  }
}

TEST(explore_primitives, semaphore) {
  explore_all("semaphore", [](world& /*w*/) -> task<> {
    tare::semaphore permits(2);
    co_await in_scope([&](scope& s) -> task<> {
      for (std::size_t i = 1; i <= 2; ++i) {
        s.spawn([&permits, i]() -> task<> {
          auto held = co_await permits.acquire(i);
          co_await tare::sleep_for(1ms);
        });
        s.spawn([&permits]() -> task<> {
          auto held = co_await permits.try_acquire_for(10ms);
          co_await tare::yield();
        });
      }
      co_return;
    });
    EXPECT_EQ(permits.available(), 2U);
  });
}

TEST(explore_primitives, mutex_and_condition_variable) {
  explore_all("condition_variable", [](world& /*w*/) -> task<> {
    tare::mutex lock;
    tare::condition_variable changed;
    int value = 0;
    co_await in_scope([&](scope& s) -> task<> {
      for (int i = 0; i < 2; ++i) {
        s.spawn([&]() -> task<> {
          auto guard = co_await lock.lock();
          const auto seen = co_await tare::timeout(1s, [&]() -> task<> {
            while (value == 0) co_await changed.wait(guard);
          }());
          (void)seen;
        });
      }
      s.spawn([&]() -> task<> {
        auto guard = co_await lock.lock();
        value = 1;
        changed.notify_all();
      });
      co_return;
    });
    auto again = lock.try_lock();
    EXPECT_TRUE(static_cast<bool>(again));
  });
}

TEST(explore_primitives, channel_loses_nothing) {
  explore_all("channel", [](world& /*w*/) -> task<> {
    tare::channel<std::unique_ptr<int>> values(1);
    int sent = 0;
    int received = 0;
    co_await in_scope([&](scope& s) -> task<> {
      s.spawn([&]() -> task<> {
        for (int i = 0; i < 3; ++i) {
          auto done = co_await tare::timeout(1s, values.send(std::make_unique<int>(i)));
          if (done && *done) ++sent;
        }
      });
      s.spawn([&]() -> task<> {
        for (;;) {
          auto got = co_await tare::timeout(1s, values.receive());
          if (!got || !*got) co_return;
          ++received;
        }
      });
      co_return;
    });
    while (auto left = values.try_receive()) ++received;
    // A sender that was cancelled just after its value had been taken does not know it.
    EXPECT_GE(received, sent);
    EXPECT_LE(received, sent + 1);
    values.close();
  });
}

TEST(explore_primitives, select_takes_from_one_and_leaves_the_others) {
  explore_all("select", [](world& w) -> task<> {
    tare::channel<int> one(2);
    tare::channel<int> other(2);
    tare::semaphore permits(1);
    int taken = 0;
    co_await in_scope([&](scope& s) -> task<> {
      s.spawn([&]() -> task<> {
        auto held = co_await permits.acquire(1);
        co_await tare::sleep_for(1ms);
        // Both in one step, while the other task waits for both.
        int value = 1;
        EXPECT_TRUE(one.try_send(value));
        EXPECT_TRUE(other.try_send(value));
        co_await tare::sleep_for(1ms);
      });
      s.spawn([&]() -> task<> {
        for (int i = 0; i < 4; ++i) {
          auto got = co_await tare::select(one.receive(), other.receive(), permits.acquire(1), tare::sleep_for(10ms));
          if (got.index() == 0 && std::get<0>(got)) ++taken;
          if (got.index() == 1 && std::get<1>(got)) ++taken;
        }
      });
      co_return;
    });
    EXPECT_EQ(permits.available(), 1U);
    int left = 0;
    while (one.try_receive()) ++left;
    while (other.try_receive()) ++left;
    EXPECT_LE(taken + left, 2);
    if (!w.fault_may_fail()) {
      EXPECT_EQ(taken + left, 2);
    }
  });
}

TEST(explore_primitives, select_of_a_stream_reads_nothing_itself) {
  explore_all("select of a stream", [](world& w) -> task<> {
    auto ends = tare::net::stream::pair();
    if (!ends) co_return;
    tare::channel<int> orders(2);
    std::size_t sent = 0;
    std::size_t received = 0;
    int taken = 0;
    co_await in_scope([&](scope& s) -> task<> {
      s.spawn([&]() -> task<> {
        const at_end finish([&] { ends->first.close(); });
        for (int i = 0; i < 3; ++i) {
          const auto written = co_await ends->first.write_some(std::as_bytes(std::span("abc", 3)));
          if (!written) co_return;
          sent += *written;
          // Both in one step, or only the bytes.
          int order = i;
          if (i != 1) (void)orders.try_send(order);
          co_await tare::sleep_for(1ms);
        }
      });
      s.spawn([&]() -> task<> {
        const at_end finish([&] { ends->second.close(); });
        for (;;) {
          auto got = co_await tare::select(ends->second.readable(), orders.receive(), tare::sleep_for(1h));
          if (got.index() == 2 || (got.index() == 0 && !std::get<0>(got))) co_return;
          if (got.index() == 1 && std::get<1>(got)) ++taken;
          if (got.index() == 1) continue;
          const auto bytes = ends->second.try_read();
          if (!bytes && bytes.error() == std::errc::operation_would_block) continue;
          if (!bytes || bytes->empty()) co_return;
          received += bytes->size();
        }
      });
      co_return;
    });
    while (orders.try_receive()) ++taken;
    EXPECT_LE(received, sent);
    EXPECT_LE(taken, 2);
    if (!w.fault_may_fail()) {
      EXPECT_EQ(received, sent);
      EXPECT_EQ(taken, 2);
    }
  });
}

TEST(explore_primitives, select_sends_to_a_broadcast_or_leaves_the_value) {
  explore_all("select with a broadcast", [](world& w) -> task<> {
    tare::broadcast<int> news(1, tare::slow_receivers::wait);
    auto reader = news.subscribe();
    int sent = 0;
    int received = 0;
    co_await in_scope([&](scope& s) -> task<> {
      s.spawn([&]() -> task<> {
        const at_end close([&] { news.close(); });
        for (int i = 0; i < 3; ++i) {
          auto done = co_await tare::select(news.send(i), tare::sleep_for(10ms));
          if (done.index() == 0 && std::get<0>(done)) ++sent;
        }
      });
      s.spawn([&]() -> task<> {
        for (;;) {
          co_await tare::sleep_for(1ms);
          auto got = co_await reader.receive();
          if (!got) co_return;
          ++received;
        }
      });
      co_return;
    });
    while (reader.try_receive()) ++received;
    // A send whose task is cancelled at that moment may have arrived.
    EXPECT_GE(received, sent);
    EXPECT_LE(received, sent + 1);
    if (!w.fault_may_fail()) {
      EXPECT_EQ(sent, 3);
    }
  });
}

TEST(explore_primitives, limited_scope_keeps_its_limit_and_gives_back_each_turn) {
  explore_all("limited_scope", [](world& w) -> task<> {
    int begun = 0;
    int running = 0;
    tare::limited_scope tasks(2);
    auto work = [&]() -> task<> {
      ++begun;
      EXPECT_LE(++running, 2);
      const at_end ended([&] { --running; });
      co_await tare::sleep_for(1ms);
    };
    auto spawn_all = [&]() -> task<> {
      for (int i = 0; i < 4; ++i) co_await tasks.spawn(work);
    };
    try {
      co_await spawn_all();
    } catch (const std::bad_alloc&) {
      EXPECT_TRUE(w.fault_may_fail());
    } catch (const tare::cancelled&) {
      EXPECT_TRUE(w.fault_may_fail());
    }
    try {
      co_await tasks.join();  // allocates nothing
    } catch (...) {
      EXPECT_TRUE(w.fault_may_fail());
    }
    EXPECT_EQ(running, 0);
    EXPECT_EQ(tasks.size(), 0U);
    if (!w.fault_may_fail()) {
      EXPECT_EQ(begun, 4);
    }
  });
}

TEST(explore_primitives, scope_joins_all_and_passes_the_error) {
  explore_all("scope", [](world& w) -> task<> {
    int ended = 0;
    bool failed = false;
    int started = 0;
    try {
      co_await tare::with_scope([&](scope& s) -> task<> {
        for (int i = 0; i < 3; ++i) {
          s.spawn([&]() -> task<> {
            ++started;
            const at_end counted([&] { ++ended; });
            co_await tare::sleep_for(1h);
          });
        }
        co_await tare::sleep_for(1ms);
        s.spawn([]() -> task<> {
          co_await tare::yield();
          throw std::domain_error("mine");
        });
        co_await tare::sleep_for(2h);
      });
    } catch (const std::domain_error&) {
      failed = true;
    } catch (const std::bad_alloc&) {
      EXPECT_TRUE(w.fault_may_fail());
    }
    EXPECT_EQ(ended, started);
    if (!w.fault_may_fail()) {
      EXPECT_TRUE(failed);
      EXPECT_EQ(started, 3);
    }
  });
}

TEST(explore_primitives, timeout_when_all_when_any) {
  explore_all("combinators", [](world& w) -> task<> {
    const auto after = [](std::chrono::milliseconds time, int value) -> task<int> {
      co_await tare::sleep_for(time);
      co_return value;
    };
    const auto late = co_await tare::timeout(5ms, after(1h, 1));
    EXPECT_TRUE(!late.has_value());
    auto [one, two] = co_await tare::when_all(after(1ms, 1), after(2ms, 2));
    EXPECT_EQ(one + two, 3);
    const auto first = co_await tare::when_any(after(1h, 1), after(3ms, 2));
    EXPECT_EQ(first.index(), 1U);
    (void)w;
  });
}

TEST(explore_primitives, oneshot_from_a_thread) {
  explore_all("oneshot", [](world& w) -> task<> {
    auto [sender, receiver] = tare::make_oneshot<int>();
    auto call = tare::spawn_handle([&s = sender]() -> task<> { co_await tare::offload([&] { s.send(7); }); });
    const auto got = co_await tare::timeout(1s, receiver.receive());
    if (!w.fault_may_fail()) {
      EXPECT_TRUE(got.has_value() && got->has_value() && **got == 7);
    }
    call.cancel();
    try {
      co_await call;
    } catch (const std::exception&) {
      EXPECT_TRUE(w.fault_may_fail());
    }
  });
}

TEST(explore_primitives, tasks_that_move_between_shards) {
  explore_all("shards", [](world& w) -> task<> {
    static std::atomic<int> visits;
    static std::atomic<bool> done;
    visits = 0;
    done = false;
    auto& host = w.add_host("host", {.shards = 2});
    host.spawn([]() -> task<> {
      const at_end noted([] { done = true; });
      co_await tare::with_scope([](scope& s) -> task<> {
        for (tare::shard_id to = 0; to < 2; ++to) {
          s.spawn_on(to, []() -> task<> {
            ++visits;
            co_await tare::resume_on(static_cast<tare::shard_id>(1 - tare::this_shard()));
            ++visits;
            co_await tare::sleep_for(1ms);
          });
        }
        co_await tare::resume_on(1);
        co_await tare::yield();
      });
    });
    for (int i = 0; i < 100 && !done; ++i) co_await tare::sleep_for(1ms);
    if (!w.fault_may_fail()) {
      EXPECT_TRUE(done);
      EXPECT_EQ(visits, 4);
    }
  });
}

}  // namespace
