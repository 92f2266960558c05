// Boost.Asio and tare, each awaiting the other.

#include <tare/tare.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using tare::task;

/// A thread that runs Asio's loop.
class asio_thread {
 public:
  [[nodiscard]] asio::io_context& loop() noexcept { return loop_; }
  asio_thread() = default;
  asio_thread(const asio_thread&) = delete;
  asio_thread& operator=(const asio_thread&) = delete;
  ~asio_thread() { loop_.stop(); }

 private:
  asio::io_context loop_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(loop_);
  std::jthread thread_{[this] { loop_.run(); }};
};

/// An asynchronous operation of Asio that runs a task: any of Asio's completion tokens will do.
template <class T, class Token>
auto async_task(tare::runtime& rt, tare::shard_id shard, task<T> body, Token&& token) {
  return asio::async_initiate<Token, void(std::exception_ptr, T)>(
      [&rt, shard](auto handler, task<T> started) {
        auto work = asio::make_work_guard(asio::get_associated_executor(handler));
        tare::spawn_then(
            rt, shard, std::move(started),
            // NOLINTNEXTLINE(bugprone-exception-escape): of an executor that is empty, which this one is not
            [kept = std::move(handler), at = std::move(work)](tare::task_outcome<T> outcome) mutable noexcept {
              auto executor = at.get_executor();
              asio::post(executor, [last = std::move(kept), got = std::move(outcome)]() mutable {
                if (got) {
                  std::move(last)(std::exception_ptr(), std::move(*got));
                } else {
                  std::move(last)(std::move(got.error()), T());
                }
              });
            });
      },
      token, std::move(body));
}

task<int> doubled(int value) {
  co_await tare::sleep_for(1ms);
  if (value < 0) throw std::invalid_argument("negative");
  co_return 2 * value;
}

TEST(asio_test, awaits_tasks) {
  tare::runtime rt({.shards = 2, .background = true});
  asio_thread asio_loop;
  auto coroutine = [&]() -> asio::awaitable<int> {
    int sum = 0;
    for (int i = 0; i < 20; ++i) {
      sum += co_await async_task(rt, static_cast<unsigned>(i % 2), doubled(i), asio::use_awaitable);
      // It has returned to Asio's thread.
      EXPECT_TRUE(asio_loop.loop().get_executor().running_in_this_thread());
    }
    try {
      (void)co_await async_task(rt, 1, doubled(-1), asio::use_awaitable);
    } catch (const std::invalid_argument&) {
      co_return sum;
    }
    co_return -1;
  };
  std::promise<int> result;
  asio::co_spawn(asio_loop.loop(), coroutine(), [&](const std::exception_ptr& error, int got) {
    error ? result.set_exception(error) : result.set_value(got);
  });
  EXPECT_EQ(result.get_future().get(), 380);
}

/// Waits for a timer of Asio, which a cancellation of the task ends.
task<bool> waits_in_asio(asio::io_context& loop, std::chrono::milliseconds time) {
  auto timer = std::make_shared<asio::steady_timer>(loop, time);
  const auto woken = co_await tare::on_cancel(
      tare::suspend([&](tare::waker w) {
        asio::post(loop, [timer, w = std::move(w)] { timer->async_wait([timer, w](auto /*error*/) { w.wake(); }); });
      }),
      // NOLINTNEXTLINE(bugprone-exception-escape): only for want of memory
      [&]() noexcept { asio::post(loop, [timer] { timer->cancel(); }); });
  co_return woken.has_value();
}

TEST(asio_test, is_awaited_by_tasks_through_callbacks) {
  asio_thread asio_loop;
  tare::runtime rt({.shards = 2});
  auto body = [&]() -> task<> {
    for (int i = 0; i < 10; ++i) {
      const bool waited = co_await waits_in_asio(asio_loop.loop(), 1ms);
      EXPECT_TRUE(waited);
    }
    for (int i = 0; i < 10; ++i) {
      const auto limited =
          co_await tare::timeout(std::chrono::milliseconds(i % 3), waits_in_asio(asio_loop.loop(), 1ms));
      if (limited) {
        EXPECT_TRUE(*limited);
      }
    }
  };
  rt.run(body());
}

TEST(asio_test, a_coroutine_of_asio_delivers_a_value_to_a_task) {
  asio_thread asio_loop;
  tare::runtime rt({.shards = 2});
  auto in_asio = [](asio::io_context& loop, int value) -> asio::awaitable<int> {
    asio::steady_timer timer(loop, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    co_return value + 1;
  };
  auto body = [&]() -> task<int> {
    int value = 0;
    for (int i = 0; i < 10; ++i) {
      auto halves = tare::make_oneshot<int>();
      asio::co_spawn(asio_loop.loop(), in_asio(asio_loop.loop(), value),
                     [sender = std::move(halves.sender)](const std::exception_ptr& error, int got) mutable {
                       if (!error) sender.send(int{got});
                     });
      const auto got = co_await halves.receiver.receive();
      value = got.value();
    }
    co_return value;
  };
  EXPECT_EQ(rt.run(body()), 10);
}

}  // namespace
