// Threads outside of a runtime that wake its last task: the runtime may end while they are still in the call.
//
// What they would touch afterwards is read by nobody else, so ThreadSanitizer and AddressSanitizer are the judges.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

/// A primitive, the wait for it, and the call that ends the wait.
struct waker {
  std::string name;
  std::function<task<>()> wait;
  std::function<void()> wake;
};

struct primitives {
  tare::oneshot<int> answer;
  tare::oneshot<int> closed_answer;
  tare::event happened;
  tare::latch done{1};
  tare::semaphore permits{0};
  tare::semaphore taken{1};
  tare::semaphore_permit held = taken.try_acquire();
  tare::channel<int> empty{1};
  tare::channel<int> full{0};
  tare::channel<int> closed{0};
  tare::notify noted;
  tare::barrier round{2};
  tare::shared_mutex table;
  tare::shared_mutex::guard writer = table.try_lock();
  tare::guarded<int> value{1};
  tare::guarded<int>::guard owner = value.try_lock();
  tare::broadcast<int> sent{1};
  tare::broadcast<int>::receiver listening = sent.subscribe();
  tare::broadcast<int> ended{1};
  tare::broadcast<int>::receiver to_the_end = ended.subscribe();
  tare::watch<int> state{1};
  tare::watch<int>::receiver seen = state.subscribe();

  std::vector<waker> all() {
    std::vector<waker> found = queues();
    std::ranges::move(others(), std::back_inserter(found));
    return found;
  }

  std::vector<waker> others() {
    return {
        {"notify one", [this]() -> task<> { co_await noted.wait(); }, [this] { noted.notify_one(); }},
        {"barrier", [this]() -> task<> { (void)co_await round.arrive_and_wait(); },
         [this] { round.arrive_and_drop(); }},
        {"shared mutex", [this]() -> task<> { const auto guard = co_await table.lock_shared(); },
         [this] { writer.release(); }},
        {"guarded", [this]() -> task<> { const auto guard = co_await value.lock(); }, [this] { owner = {}; }},
        {"broadcast", [this]() -> task<> { (void)co_await listening.receive(); },
         [this] {
           int one = 1;
           (void)sent.try_send(one);
         }},
        {"broadcast close", [this]() -> task<> { (void)co_await to_the_end.receive(); }, [this] { ended.close(); }},
        {"watch", [this]() -> task<> { (void)co_await seen.changed(); }, [this] { state.set(2); }},
    };
  }

  std::vector<waker> queues() {
    return {
        {"oneshot send", [this]() -> task<> { (void)co_await answer.receive(); }, [this] { answer.send(1); }},
        {"oneshot close", [this]() -> task<> { (void)co_await closed_answer.receive(); },
         [this] { closed_answer.close(); }},
        {"event", [this]() -> task<> { co_await happened.wait(); }, [this] { happened.set(); }},
        {"latch", [this]() -> task<> { co_await done.wait(); }, [this] { done.count_down(); }},
        {"release", [this]() -> task<> { const auto permit = co_await permits.acquire(); },
         [this] { permits.release(); }},
        {"permit", [this]() -> task<> { const auto permit = co_await taken.acquire(); }, [this] { held.release(); }},
        {"channel send", [this]() -> task<> { (void)co_await empty.receive(); },
         [this] {
           int value = 1;
           while (!empty.try_send(value)) std::this_thread::yield();
         }},
        {"channel receive", [this]() -> task<> { (void)co_await full.send(1); },
         [this] {
           while (!full.try_receive()) std::this_thread::yield();
         }},
        {"channel close", [this]() -> task<> { (void)co_await closed.receive(); }, [this] { closed.close(); }},
    };
  }
};

/// The runtime has a last task, which waits; `wake` is called on another thread. Returns when the runtime has ended.
void end_while_it_is_woken(const waker& by, tare::runtime_options options, int busy_for) {
  std::atomic<bool> ready = false;
  auto busy = [&]() -> task<> {
    ready = true;
    for (int i = 0; i < busy_for; ++i) co_await tare::yield();
  };
  auto body = [&]() -> task<> { co_await tare::when_all(by.wait(), busy()); };
  std::thread other([&] {
    while (!ready) std::this_thread::yield();
    by.wake();
  });
  {
    tare::runtime rt(std::move(options));
    rt.run(body());
  }
  other.join();
}

class foreign_wake_test : public testing::TestWithParam<std::size_t> {};

TEST_P(foreign_wake_test, of_the_last_task_does_not_touch_what_is_gone) {
  for (int round = 0; round < 60; ++round) {
    primitives fresh;
    end_while_it_is_woken(fresh.all().at(GetParam()), {.shards = 1U + static_cast<unsigned>(round) % 2},
                          round * 7 % 200);
  }
}

TEST_P(foreign_wake_test, under_a_virtual_clock) {
  for (int round = 0; round < 30; ++round) {
    primitives fresh;
    end_while_it_is_woken(fresh.all().at(GetParam()), {.clock = tare::clock_kind::virtual_time}, round * 7 % 200);
  }
}

TEST_P(foreign_wake_test, by_another_runtime) {
  for (int round = 0; round < 30; ++round) {
    primitives fresh;
    waker by = fresh.all().at(GetParam());
    // The other runtime's task is woken by nobody: it wakes, on a thread that is a shard, but not of ours.
    by.wake = [wake = by.wake] {
      tare::run([](const std::function<void()>& call) -> task<> {
        call();
        co_return;
      }(wake));
    };
    end_while_it_is_woken(by, {}, round * 7 % 200);
  }
}

std::string name_of(const testing::TestParamInfo<std::size_t>& of) {
  std::string name = primitives().all().at(of.param).name;
  for (char& each : name) each = each == ' ' ? '_' : each;
  return name;
}

INSTANTIATE_TEST_SUITE_P(calls, foreign_wake_test, testing::Range<std::size_t>(0, primitives().all().size()), name_of);

/// Waits for an event as `wait` does, but in between its two looks at the event, another thread sets it.
class late_wait {
 public:
  class awaiter {
   public:
    awaiter(late_wait request, tare::detail::wait_state& task) noexcept
        : on_(request.on_), setter_(request.setter_), inner_(request.on_.wait(), task) {}
    [[nodiscard]] bool await_ready() const noexcept { return inner_.await_ready(); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> self) {
      setter_ = std::thread([&on = on_] { on.set(); });
      while (!on_.is_set()) {
      }
      return inner_.await_suspend(self);
    }
    static void await_resume() { tare::event::wait_awaiter::await_resume(); }

   private:
    tare::event& on_;
    std::thread& setter_;
    tare::event::wait_awaiter inner_;
  };
  using tare_awaiter = awaiter;

  late_wait(tare::event& on, std::thread& setter) noexcept : on_(on), setter_(setter) {}

 private:
  tare::event& on_;
  std::thread& setter_;
};

TEST(event_end, waits_for_set_to_leave_it) {
  // With many waiters `set` is in the event for a while after it has become set; whoever goes on may destroy it.
  constexpr int waiters = 50'000;
  for (int round = 0; round < 5; ++round) {
    alignas(tare::event) std::byte place[sizeof(tare::event)];
    auto* const on = ::new (place) tare::event;
    int woken = 0;
    auto waits = [&]() -> task<> {
      co_await on->wait();
      ++woken;
    };
    auto body = [&]() -> task<> {
      std::thread setter;
      co_await tare::with_scope([&](tare::scope& s) -> task<> {
        for (int i = 0; i < waiters; ++i) s.spawn(waits());
        co_await tare::yield();
        co_await late_wait(*on, setter);
        std::destroy_at(on);
        std::memset(place, 0xEE, sizeof(place));
      });
      setter.join();
    };
    tare::run(body());
    EXPECT_EQ(woken, waiters);
    for (const std::byte each : place) EXPECT_EQ(each, std::byte{0xEE});
  }
}

}  // namespace
