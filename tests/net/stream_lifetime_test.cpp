#include "net/on_reactors.hpp"

#include <fcntl.h>

#include <atomic>
#include <thread>

namespace {

using namespace tare::testing;
using tare::task;
using tare::net::lease;
using tare::net::stream;

class stream_lifetime : public on_reactors {};
TARE_ON_ALL_REACTORS(stream_lifetime);

TEST_P(stream_lifetime, goes_to_another_shard_by_its_descriptor) {
  run(
      []() -> task<> {
        auto [client, server] = co_await connect_loopback();
        const int fd = server.release();
        EXPECT_FALSE(server.is_open());
        co_await tare::with_scope([&](tare::scope& s) -> task<> {
          s.spawn_on(1, [](int taken) -> task<> {
            auto adopted = stream::adopt(taken);
            EXPECT_TRUE(adopted.has_value());
            auto got = co_await adopted->read();
            EXPECT_TRUE(co_await adopted->write(got->bytes()));
          }(fd));
          EXPECT_TRUE(co_await client.write(bytes_of("over there")));
          EXPECT_EQ(co_await read_all(client), "over there");
        });
      }(),
      options(2));
}

TEST_P(stream_lifetime, may_end_on_any_thread) {
  run(
      []() -> task<> {
        auto [client, server] = co_await connect_loopback();
        // On another shard, on a thread that runs no shard, and in the frame of a task that has moved.
        auto first = co_await connect_loopback();
        co_await tare::resume_on(1);
        first.server.close();
        co_await tare::resume_on(0);
        EXPECT_EQ(co_await read_all(first.client), "");
        std::thread([dying = std::move(server)] {}).join();
        EXPECT_EQ(co_await read_all(client), "");
      }(),
      options(2));
}

TEST_P(stream_lifetime, may_end_on_any_thread_while_its_runtime_ends) {
  for (int round = 0; round < 50; ++round) {
    stream ours;
    stream theirs;
    std::atomic<bool> ready = false;
    std::thread elsewhere([&] {
      while (!ready) std::this_thread::yield();
      ours.close();
      theirs.close();
    });
    {
      tare::runtime rt(options(1U + static_cast<unsigned>(round) % 2));
      rt.run([](stream& each, stream& other, std::atomic<bool>& made, int yields) -> task<> {
        auto both = stream::pair();
        each = std::move(both->first);
        other = std::move(both->second);
        made = true;
        for (int i = 0; i < yields; ++i) co_await tare::yield();
      }(ours, theirs, ready, round * 7 % 50));
    }
    elsewhere.join();
  }
}

TEST_P(stream_lifetime, may_outlive_its_runtime) {
  stream left;
  lease bytes;
  {
    tare::runtime rt(options());
    rt.run([](stream& out, lease& kept) -> task<> {
      auto both = stream::pair();
      (void)co_await both->second.write(bytes_of("kept"));
      kept = (co_await both->first.read()).value();
      out = std::move(both->first);
    }(left, bytes));
    EXPECT_EQ(::fcntl(left.native_handle(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  }
  EXPECT_EQ(text_of(bytes.bytes()), "kept");
  const int fd = left.native_handle();
  left.close();
  EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

TEST_P(stream_lifetime, detached_tasks_that_wait_end_with_the_runtime) {
  int ended = 0;
  {
    tare::runtime rt(options(2));
    rt.run([](int& count) -> task<> {
      for (int i = 0; i < 50; ++i) {
        auto both = stream::pair();
        tare::spawn([](stream from, stream held, int& total) -> task<> {
          try {
            (void)co_await from.read();
          } catch (const tare::cancelled&) {
            ++total;
            throw;
          }
          held.close();
        }(std::move(both->first), std::move(both->second), count));
      }
      co_await tare::sleep_for(2ms);
    }(ended));
  }
  EXPECT_EQ(ended, 50);
}

}  // namespace
