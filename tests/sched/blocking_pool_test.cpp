// The pool when there is no memory for another thread.

#include "sched/blocking_pool.hpp"

#include "sched/shard.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <thread>

namespace {

// Only on the thread that sets it.
thread_local int allocations_until_failure = -1;

}  // namespace

void* operator new(std::size_t bytes) {
  if (allocations_until_failure >= 0) {
    --allocations_until_failure;
    if (allocations_until_failure < 0) throw std::bad_alloc();
  }
  if (void* const made = std::malloc(bytes == 0 ? 1 : bytes)) return made;
  throw std::bad_alloc();
}
void operator delete(void* freed) noexcept { std::free(freed); }
void operator delete(void* freed, std::size_t /*bytes*/) noexcept { std::free(freed); }

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::detail::blocking_pool;

/// Waits until all threads of the pool have ended because they were idle; they have not been joined yet.
void wait_until_no_thread_is_left(const blocking_pool& pool) {
  for (int i = 0; i < 10'000 && pool.threads() != 0; ++i) std::this_thread::sleep_for(1ms);
  ASSERT_EQ(pool.threads(), 0U);
}

struct waited_call : tare::detail::blocking_call {};

/// A call that a task awaits, on its own pool.
class call_awaiter : private tare::detail::blocking_call {
 public:
  struct request {
    using tare_awaiter = call_awaiter;
    blocking_pool& on;
    int allocations;  ///< the number that succeed
  };
  call_awaiter(request asked, tare::detail::wait_state& /*task*/) noexcept : asked_(asked) {}
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    run = [](blocking_call& /*self*/) noexcept {};
    give_up = [](tare::detail::wait_node& /*self*/) noexcept {};
    begin(self.promise());
    allocations_until_failure = asked_.allocations;
    try {
      asked_.on.add(*this);
    } catch (...) {
      allocations_until_failure = -1;
      end();
      throw;
    }
    allocations_until_failure = -1;
    return true;
  }
  static void await_resume() { tare::detail::current_shard->throw_if_cancelled(); }

 private:
  request asked_;
};

TEST(blocking_pool, a_thread_for_which_there_is_no_memory_ends_nothing) {
  bool succeeded = false;
  int failures = 0;
  for (int nth = 0; nth < 20 && !succeeded; ++nth) {
    blocking_pool pool(4, nullptr, 1ms);
    bool failed = false;
    auto body = [&]() -> task<> {
      // Ended threads wait to be joined by the next call, which fails.
      co_await call_awaiter::request{pool, -1};
      wait_until_no_thread_is_left(pool);
      try {
        co_await call_awaiter::request{pool, nth};
      } catch (const std::bad_alloc&) {
        failed = true;
      }
      co_await call_awaiter::request{pool, -1};  // and the pool still works
    };
    tare::run(body());
    failures += failed ? 1 : 0;
    succeeded = !failed;
  }
  EXPECT_TRUE(succeeded);
  EXPECT_GE(failures, 1);
}

}  // namespace
