// The lock-free parts, in every order of their atomic operations.

#include "stress/interleaving.hpp"

#include "frame/arena.hpp"
#include "frame/remote_stack.hpp"
#include "sched/parker.hpp"

#include <tare/detail/brief_lock.hpp>
#include <tare/detail/frame_memory.hpp>
#include <tare/detail/permit_count.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace tare::detail {
namespace {

using tare::testing::explored_atomic;
using tare::testing::interleaving;

/// Blocks like a futex: only while the word has the value.
struct explored_futex {
  static void wait(explored_atomic<std::uint32_t>& word, std::uint32_t value,
                   std::optional<std::chrono::nanoseconds> /*longest*/) {
    interleaving::point();
    if (word.load(std::memory_order_relaxed) == value) interleaving::block(&word);
  }
  static void wake(explored_atomic<std::uint32_t>& word) {
    interleaving::point();
    interleaving::wake_one(&word);
  }
};

/// Each of a lock's two operations as one step; the steps of brief_lock have their own test.
class explored_lock {
 public:
  void lock() {
    interleaving::point();
    while (locked_) interleaving::block(this);
    locked_ = true;
  }
  void unlock() {
    locked_ = false;
    interleaving::wake_one(this);
  }

 private:
  bool locked_ = false;
};

TEST(interleaving, tries_every_order) {
  // Two threads with two operations each: 6 orders, including the choice of which thread begins.
  std::set<std::vector<int>> orders;
  std::vector<int> order;
  auto make = [&] {
    order.clear();
    auto thread = [&](int first) {
      return [&order, first] {
        for (int i = 0; i < 2; ++i) {
          order.push_back(first + i);
          interleaving::point();
        }
      };
    };
    return std::vector<interleaving::body>{thread(0), thread(10)};
  };
  interleaving::explore(make, [&] { orders.insert(order); });
  EXPECT_EQ(orders.size(), 6U);
}

TEST(interleaving, the_remote_stack_loses_nothing_and_tells_of_the_first) {
  // Two threads push while the owner empties the stack twice.
  std::array<void*, 2> objects{};
  for (void*& each : objects) each = allocate_record(64);
  std::unique_ptr<basic_remote_stack<explored_atomic>> stack;
  std::multiset<void*> taken;
  int woken = 0;
  int emptied = 0;
  auto take_all = [&] {
    link next = stack->take_all();
    if (next != no_link) ++emptied;
    while (next != no_link) {
      void* object = from_link<void>(next);
      next = read_link(object);
      taken.insert(object);
    }
  };
  auto push = [&](void* object) {
    if (stack->push(object)) ++woken;
  };
  auto make = [&] {
    stack = std::make_unique<basic_remote_stack<explored_atomic>>();
    taken.clear();
    woken = emptied = 0;
    return std::vector<interleaving::body>{[&] { push(objects[0]); }, [&] { push(objects[1]); },
                                           [&] {
                                             take_all();
                                             take_all();
                                           }};
  };
  const std::size_t runs = interleaving::explore(make, [&] {
    take_all();
    ASSERT_EQ(taken, (std::multiset<void*>(objects.begin(), objects.end())));
    ASSERT_EQ(woken, emptied) << "each push to an empty stack wakes the owner";
  });
  EXPECT_GT(runs, 100U);
  for (void* each : objects) free_record(each);
}

TEST(interleaving, no_unpark_is_lost) {
  std::unique_ptr<basic_parker<explored_atomic, explored_futex>> parker;
  bool work = false;
  int rounds = 0;
  auto make = [&] {
    parker = std::make_unique<basic_parker<explored_atomic, explored_futex>>();
    work = false;
    rounds = 0;
    return std::vector<interleaving::body>{[&] {
                                             // Like a shard's loop: it looks for work, and parks if there is none.
                                             while (!work) {
                                               parker->park(std::nullopt);
                                               ++rounds;
                                             }
                                           },
                                           [&] {
                                             parker->unpark();  // without new work
                                             work = true;
                                             parker->unpark();
                                           }};
  };
  const std::size_t runs = interleaving::explore(make, [&] { ASSERT_LE(rounds, 3); });
  EXPECT_GT(runs, 10U);
}

TEST(interleaving, the_brief_lock_excludes_and_lets_everybody_in) {
  std::unique_ptr<basic_brief_lock<explored_atomic>> lock;
  int inside = 0;
  int entered = 0;
  auto make = [&] {
    lock = std::make_unique<basic_brief_lock<explored_atomic>>();
    inside = entered = 0;
    auto enter = [&] {
      lock->lock();
      EXPECT_EQ(++inside, 1);
      interleaving::point();
      --inside;
      ++entered;
      lock->unlock();
    };
    return std::vector<interleaving::body>{[enter] {
                                             enter();
                                             enter();
                                           },
                                           enter};
  };
  const std::size_t runs = interleaving::explore(make, [&] { ASSERT_EQ(entered, 3); });
  EXPECT_GT(runs, 100U);
}

TEST(interleaving, no_permit_is_lost_and_nobody_waits_for_one_that_is_free) {
  // The steps of the semaphore (src/sync/semaphore.cpp) with a queue of thread numbers: each thread takes the permits
  // that it wants, waiting if it must, and returns them.
  struct model {
    explicit model(std::size_t permits) : free(permits) {}
    basic_permit_count<explored_atomic> free;
    explored_lock lock;
    std::deque<std::size_t> queue;
    std::array<std::size_t, 3> wanted{};
    std::array<bool, 3> granted{};
    std::size_t held = 0;

    void acquire(std::size_t self, std::size_t count) {
      wanted.at(self) = count;
      granted.at(self) = free.take(count);
      if (granted.at(self)) return;
      lock.lock();
      granted.at(self) = free.take_or_announce(count);
      if (!granted.at(self)) queue.push_back(self);
      lock.unlock();
      while (!granted.at(self)) interleaving::block(&granted.at(self));
    }
    void release(std::size_t count) {
      if (free.add(count)) return;
      lock.lock();
      free.add_for_waiters(count);
      for (;;) {
        if (queue.empty()) {
          free.nobody_waits();
          break;
        }
        const std::size_t first = queue.front();
        if (!free.take_for_waiter(wanted.at(first))) break;
        queue.pop_front();
        granted.at(first) = true;
        interleaving::wake_one(&granted.at(first));
      }
      lock.unlock();
    }
  };
  for (const std::size_t permits : {std::size_t{1}, std::size_t{2}}) {
    std::unique_ptr<model> semaphore;
    auto make = [&] {
      semaphore = std::make_unique<model>(permits);
      auto use = [&](std::size_t self, std::size_t count) {
        return [&, self, count] {
          semaphore->acquire(self, count);
          EXPECT_LE(semaphore->held += count, permits);
          interleaving::point();
          semaphore->held -= count;
          semaphore->release(count);
        };
      };
      return std::vector<interleaving::body>{use(0, 1), use(1, permits)};
    };
    const std::size_t runs = interleaving::explore(make, [&] {
      ASSERT_TRUE(semaphore->queue.empty());
      ASSERT_EQ(semaphore->free.available(), permits);
      ASSERT_TRUE(semaphore->free.take(permits)) << "a waiter is still announced";
    });
    EXPECT_GT(runs, 100U);
  }
}

}  // namespace
}  // namespace tare::detail
