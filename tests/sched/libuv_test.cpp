// A C library that calls back on its own threads: libuv's loop in one thread, and its pool. Chosen because it needs no
// server, and its loop ends on request.

#include <tare/tare.hpp>

#include <gtest/gtest.h>
#include <uv.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

/// Work for libuv's pool. libuv is not thread-safe: `uv_async_send` passes the work to the thread of its loop.
struct job {
  uv_work_t work{};
  int input = 0;
  tare::oneshot_sender<int> reply;
  void* waker = nullptr;
};

class uv_thread {
 public:
  uv_thread() {
    uv_loop_init(&loop_);
    wake_.data = this;
    uv_async_init(&loop_, &wake_, [](uv_async_t* handle) { static_cast<uv_thread*>(handle->data)->take_jobs(); });
    thread_ = std::jthread([this] { uv_run(&loop_, UV_RUN_DEFAULT); });
  }
  uv_thread(const uv_thread&) = delete;
  uv_thread& operator=(const uv_thread&) = delete;
  ~uv_thread() {
    closing_ = true;
    uv_async_send(&wake_);
    thread_.join();
    uv_loop_close(&loop_);
  }

  void start(job* added) {
    {
      const std::scoped_lock guard(lock_);
      jobs_.push_back(added);
    }
    uv_async_send(&wake_);
  }

 private:
  void take_jobs() {
    std::vector<job*> taken;
    {
      const std::scoped_lock guard(lock_);
      taken.swap(jobs_);
    }
    for (job* each : taken) {
      each->work.data = each;
      uv_queue_work(
          &loop_, &each->work,
          [](uv_work_t* work) {
            auto* mine = static_cast<job*>(work->data);
            mine->input *= 2;
          },
          [](uv_work_t* work, int /*status*/) {
            auto* mine = static_cast<job*>(work->data);
            if (mine->waker != nullptr) tare::waker::from(mine->waker).wake();
            mine->reply.send(int{mine->input});
            delete mine;
          });
    }
    if (closing_) uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
  }

  uv_loop_t loop_{};
  uv_async_t wake_{};
  std::atomic<bool> closing_ = false;
  std::mutex lock_;
  std::vector<job*> jobs_;
  std::jthread thread_;
};

task<int> doubled_by_uv(uv_thread& uv, int input) {
  auto halves = tare::make_oneshot<int>();
  auto* const started = new job;
  started->input = input;
  started->reply = std::move(halves.sender);
  uv.start(started);
  const auto got = co_await halves.receiver.receive();
  co_return got.value();
}

task<bool> woken_by_uv(uv_thread& uv) {
  const auto woken = co_await tare::suspend([&](tare::waker w) {
    auto* const started = new job;
    started->waker = w.release();
    uv.start(started);
  });
  co_return woken.has_value();
}

TEST(libuv_test, delivers_values_and_wakes_tasks_of_two_shards) {
  uv_thread uv;
  tare::runtime rt({.shards = 2});
  std::atomic<int> right = 0;
  auto worker = [&](int number) -> task<> {
    const int got = co_await doubled_by_uv(uv, number);
    const bool woken = co_await woken_by_uv(uv);
    if (got == 2 * number && woken) ++right;
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    for (int i = 0; i < 100; ++i) s.spawn_on(static_cast<unsigned>(i % 2), worker(i));
    co_await s.join();
  };
  rt.run(body());
  EXPECT_EQ(right, 100);
}

TEST(libuv_test, calls_back_after_tasks_were_cancelled_and_the_runtime_has_ended) {
  uv_thread uv;
  auto worker = [&](int number) -> task<> {
    (void)co_await doubled_by_uv(uv, number);
    (void)co_await woken_by_uv(uv);
  };
  for (int round = 0; round < 50; ++round) {
    tare::runtime rt({.shards = 2});
    auto body = [&]() -> task<> {
      tare::scope s;
      for (int i = 0; i < 10; ++i) s.spawn_on(static_cast<unsigned>(i % 2), worker(i));
      for (int i = 0; i < round % 7; ++i) co_await tare::yield();
      s.cancel();
      co_await s.join();
      tare::spawn(worker(1));
      co_await tare::yield();
    };
    rt.run(body());
  }
}

}  // namespace
