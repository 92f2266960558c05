#include "sync/waits.hpp"

#include <tare/tare.hpp>

#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>

namespace tare::test {

namespace {

using namespace std::chrono_literals;

/// `wait` gets a reference to a P, and so does `end`, which returns whether it had an effect, or nothing if it always
/// has.
template <class P, class Wait, class End>
awaited awaited_of(std::shared_ptr<P> one, const Wait& wait, const End& end) {
  auto owner = std::make_shared<std::shared_ptr<P>>(std::move(one));
  return {.wait = [owner, wait] { return wait(**owner); },
          .end =
              [owner, end] {
                if constexpr (std::is_void_v<decltype(end(**owner))>) {
                  end(**owner);
                  return true;
                } else {
                  return end(**owner);
                }
              },
          .destroy = [owner] { owner->reset(); }};
}

template <class P, class... A>
std::shared_ptr<P> made(A... arguments) {
  return std::make_shared<P>(arguments...);
}

awaited wait_for_event() {
  return awaited_of(made<event>(), [](event& one) -> task<> { co_await one.wait(); }, [](event& one) { one.set(); });
}

awaited wait_for_latch() {
  return awaited_of(
      made<latch>(1U), [](latch& one) -> task<> { co_await one.wait(); }, [](latch& one) { one.count_down(); });
}

awaited wait_for_notification() {
  return awaited_of(
      made<notify>(), [](notify& one) -> task<> { co_await one.wait(); }, [](notify& one) { one.notify_one(); });
}

awaited wait_at_barrier() {
  return awaited_of(
      made<barrier>(2U), [](barrier& one) -> task<> { (void)co_await one.arrive_and_wait(); },
      [](barrier& one) { one.arrive_and_drop(); });
}

task<> acquire(semaphore& from) {
  auto permit = co_await from.acquire();
  permit.forget();
}

awaited wait_for_release() {
  return awaited_of(made<semaphore>(0U), acquire, [](semaphore& one) { one.release(); });
}

awaited wait_for_close() {
  return awaited_of(made<semaphore>(0U), acquire, [](semaphore& one) { one.close(); });
}

void forget(semaphore_permit& held) { held.forget(); }
void forget(guarded<int>::guard& held) { held.mutex_guard().forget(); }

/// One that is locked until `end`, or until it is destroyed, which does not unlock it.
template <class Lock, class Guard, class Wait>
awaited wait_for_lock(const Wait& wait) {
  auto lock = made<Lock>();
  auto guard = std::make_shared<Guard>(lock->try_lock());
  awaited one = awaited_of(std::move(lock), wait, [guard](Lock& /*unused*/) { *guard = Guard(); });
  one.destroy = [guard, destroy = std::move(one.destroy)] {
    forget(*guard);
    destroy();
  };
  return one;
}

awaited wait_for_mutex() {
  return wait_for_lock<mutex, mutex::guard>([](mutex& one) -> task<> { const auto guard = co_await one.lock(); });
}

awaited wait_for_mutex_for_a_while() {
  return wait_for_lock<mutex, mutex::guard>(
      [](mutex& one) -> task<> { const auto guard = co_await one.try_lock_for(1h); });
}

awaited wait_for_guarded() {
  return wait_for_lock<guarded<int>, guarded<int>::guard>(
      [](guarded<int>& one) -> task<> { const auto guard = co_await one.lock(); });
}

awaited wait_for_shared_mutex() {
  return wait_for_lock<shared_mutex, shared_mutex::guard>(
      [](shared_mutex& one) -> task<> { const auto guard = co_await one.lock_shared(); });
}

awaited wait_for_condition() {
  struct condition {
    mutex lock;
    condition_variable changed;
  };
  return awaited_of(
      made<condition>(),
      [](condition& one) -> task<> {
        auto guard = co_await one.lock.lock();
        co_await one.changed.wait(guard);
      },
      [](condition& one) { one.changed.notify_one(); });
}

task<> receive(channel<int>& from) { (void)co_await from.receive(); }

bool send_now(auto& into) {
  int value = 1;
  return into.try_send(value);
}

awaited wait_for_value() { return awaited_of(made<channel<int>>(1U), receive, &send_now<channel<int>>); }

awaited wait_for_closed_channel() {
  return awaited_of(made<channel<int>>(0U), receive, [](channel<int>& one) { one.close(); });
}

awaited wait_for_space() {
  return awaited_of(
      made<channel<int>>(0U), [](channel<int>& one) -> task<> { (void)co_await one.send(1); },
      [](channel<int>& one) { return one.try_receive().has_value(); });
}

task<> receive_once(oneshot<int>& from) { (void)co_await from.receive(); }

awaited wait_for_oneshot() {
  return awaited_of(made<oneshot<int>>(), receive_once, [](oneshot<int>& one) { one.send(1); });
}

awaited wait_for_closed_oneshot() {
  return awaited_of(made<oneshot<int>>(), receive_once, [](oneshot<int>& one) { one.close(); });
}

struct broadcasting {
  broadcast<int> sent{1};
  broadcast<int>::receiver receiving = sent.subscribe();
};

task<> receive_broadcast(broadcasting& from) { (void)co_await from.receiving.receive(); }

awaited wait_for_broadcast() {
  return awaited_of(made<broadcasting>(), receive_broadcast, [](broadcasting& one) { return send_now(one.sent); });
}

awaited wait_for_closed_broadcast() {
  return awaited_of(made<broadcasting>(), receive_broadcast, [](broadcasting& one) { one.sent.close(); });
}

awaited wait_for_change() {
  struct watching {
    watch<int> value{1};
    watch<int>::receiver seen = value.subscribe();
  };
  return awaited_of(
      made<watching>(), [](watching& one) -> task<> { (void)co_await one.seen.changed(); },
      [](watching& one) { one.value.set(2); });
}

awaited wait_for_timer() {
  return awaited_of(
      std::make_shared<timer>(24h), [](timer& one) -> task<> { co_await one.wait(); },
      [](timer& one) { one.reset(0s); });
}

/// Waits for two at once, of which `end` ends one.
awaited wait_for_either() {
  struct both {
    event lost;
    channel<int> won{1};
  };
  return awaited_of(
      made<both>(), [](both& one) -> task<> { (void)co_await select(one.lost.wait(), one.won.receive()); },
      [](both& one) { return send_now(one.won); });
}

std::vector<wait_kind> all_wait_kinds() {
  using enum ended_by;
  const std::string semaphore_waits = "semaphore::~semaphore: a task waits for it, or for its lock";
  return {
      {"event", any_thread_destroying, "event::~event: a task waits for it", wait_for_event},
      {"latch", any_thread, "event::~event: a task waits for it", wait_for_latch},
      {"notify", any_thread_destroying, "notify::~notify: a task waits for it", wait_for_notification},
      {"barrier", any_thread_destroying, "barrier::~barrier: a task waits for it", wait_at_barrier},
      {"semaphore", any_thread, semaphore_waits, wait_for_release},
      {"closed_semaphore", any_thread, semaphore_waits, wait_for_close},
      {"mutex", any_thread, semaphore_waits, wait_for_mutex},
      {"mutex_with_a_limit", any_thread, semaphore_waits, wait_for_mutex_for_a_while},
      {"guarded", any_thread, semaphore_waits, wait_for_guarded},
      {"shared_mutex", any_thread, semaphore_waits, wait_for_shared_mutex},
      // It remembers nothing for a wait that begins later.
      {"condition_variable", own_shard, "condition_variable::~condition_variable: a task waits for it",
       wait_for_condition},
      {"receive", any_thread, "channel::~channel: a task waits in `receive`", wait_for_value},
      {"closed_channel", any_thread, "channel::~channel: a task waits in `receive`", wait_for_closed_channel},
      {"send", any_thread, "channel::~channel: a task waits in `send`", wait_for_space},
      {"oneshot", any_thread_destroying, "oneshot::~oneshot: a task waits in `receive`", wait_for_oneshot},
      {"closed_oneshot", any_thread_destroying, "oneshot::~oneshot: a task waits in `receive`",
       wait_for_closed_oneshot},
      {"broadcast", any_thread, "broadcast::receiver: destroyed while a task waits in `receive`", wait_for_broadcast},
      {"closed_broadcast", any_thread, "broadcast::receiver: destroyed while a task waits in `receive`",
       wait_for_closed_broadcast},
      {"watch", any_thread, "watch::~watch: a task waits for a change", wait_for_change},
      {"timer", own_shard, "timer::~timer: a task waits for it", wait_for_timer},
      {"select", any_thread, "channel::~channel: a task waits in `receive`", wait_for_either},
  };
}

}  // namespace

std::vector<wait_kind> wait_kinds(ended_by by) {
  std::vector<wait_kind> kinds = all_wait_kinds();
  std::erase_if(kinds, [by](const wait_kind& each) { return each.by < by; });
  return kinds;
}

}  // namespace tare::test
