#include "io/reactor.hpp"

#include "net/on_reactors.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
using tare::detail::reactor;
using tare::net::stream;

class reactor_test : public on_reactors {};
TARE_ON_ALL_REACTORS(reactor_test);

TEST_P(reactor_test, is_of_the_kind_that_was_asked_for) {
  run([]() -> task<> {
    EXPECT_EQ(reactor::if_any(), nullptr);
    const auto made = reactor::here();
    EXPECT_TRUE(made.has_value());
    EXPECT_EQ(std::string_view((*made)->poller_name()), GetParam() == tare::io_kind::epoll ? "epoll" : "io_uring");
    EXPECT_EQ(reactor::if_any(), *made);
    co_return;
  }());
}

TEST_P(reactor_test, is_woken_from_other_threads) {
  tare::runtime rt(options(2));
  std::atomic<int> ran = 0;
  const auto use_reactor = []() -> task<> {
    auto both = stream::pair();
    EXPECT_TRUE(both.has_value());
    (void)co_await tare::timeout(1ms, both->first.read());
  };
  rt.run(use_reactor());
  std::jthread elsewhere([&] {
    for (int i = 0; i < 200; ++i) {
      rt.spawn_on(static_cast<unsigned>(i % 2), [](std::atomic<int>& count, auto use) -> task<> {
        if (count % 10 == 0) co_await use();
        ++count;
      }(ran, use_reactor));
      if (i % 20 == 0) std::this_thread::sleep_for(1ms);
    }
  });
  rt.run([](std::atomic<int>& count) -> task<> {
    while (count < 200) co_await tare::sleep_for(1ms);
  }(ran));
}

TEST_P(reactor_test, outlives_the_thread_that_made_it) {
  // The thread that calls `run` runs shard 0; requests to the kernel belong to a thread.
  tare::runtime rt(options());
  std::pair<stream, stream> ends;
  std::string got;
  const auto read_one = [](stream& from, std::string& to) -> task<> {
    auto read = co_await from.read();
    if (read) to += text_of(read->bytes());
  };
  std::thread([&] {
    rt.run([](std::pair<stream, stream>& made, std::string& to, auto read) -> task<> {
      made = stream::pair().value();
      tare::spawn(read(made.second, to));
      co_await tare::sleep_for(2ms);
    }(ends, got, read_one));
  }).join();
  for (int round = 0; round < 3; ++round) {
    std::thread([&] {
      rt.run([](stream& to, std::string& seen, std::size_t expected) -> task<> {
        EXPECT_TRUE(co_await to.write(bytes_of("x")));
        while (seen.size() < expected) co_await tare::sleep_for(1ms);
      }(ends.first, got, got.size() + 1));
    }).join();
    rt.run([](stream& from, std::string& to, auto read) -> task<> {
      tare::spawn(read(from, to));
      co_await tare::yield();
    }(ends.second, got, read_one));
  }
  EXPECT_EQ(got, "xxx");
  rt.run([](std::pair<stream, stream> dying) -> task<> {
    dying.first.close();
    co_return;
  }(std::move(ends)));
}

TEST_P(reactor_test, takes_more_events_at_once_than_its_queues_hold) {
  run([]() -> task<> {
    constexpr int count = 3000;
    int got = 0;
    std::vector<stream> writers;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (int i = 0; i < count; ++i) {
        auto both = stream::pair();
        EXPECT_TRUE(both.has_value());
        if (!both) co_return;
        writers.push_back(std::move(both->first));
        s.spawn([](stream from, int& total) -> task<> {
          for (int round = 0; round < 3; ++round) {
            auto read = co_await from.read();
            EXPECT_TRUE(read && read->size() == 1);
            ++total;
          }
        }(std::move(both->second), got));
      }
      co_await tare::sleep_for(5ms);
      for (int round = 1; round <= 3; ++round) {
        // Without a pause, so all events are reported together.
        for (stream& each : writers) EXPECT_TRUE(each.try_write(bytes_of("x")).has_value());
        while (got < round * count) co_await tare::sleep_for(1ms);
      }
    });
    EXPECT_EQ(got, 3 * count);
  }());
}

TEST_P(reactor_test, slots_and_buffers_are_given_back) {
  run([]() -> task<> {
    const auto here = reactor::here().value();
    for (int round = 0; round < 3; ++round) {
      {
        std::vector<std::pair<stream, stream>> pairs;
        for (int i = 0; i < 100; ++i) {
          pairs.push_back(stream::pair().value());
          // Suspended once, so that the kernel watches the descriptor.
          EXPECT_FALSE(co_await tare::timeout(0ms, pairs.back().first.read()));
        }
        EXPECT_EQ(here->slots().size(), 200U);
      }
      co_await tare::sleep_for(2ms);
      EXPECT_EQ(here->slots().size(), 0U);
    }
  }());
}

TEST_P(reactor_test, descriptors_are_closed_at_once) {
  run([]() -> task<> {
    auto both = stream::pair().value();
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn([](stream& from) -> task<> { (void)co_await from.read(); }(both.first));
      co_await tare::sleep_for(2ms);
      both.first.close();
      // The other end sees it before the reactor does another round.
      std::array<char, 1> into{};
      EXPECT_EQ(::recv(both.second.native_handle(), into.data(), into.size(), MSG_DONTWAIT), 0);
    });
  }());
}

// Does what a container's seccomp profile does.
void forbid_io_uring() {
  std::array filter{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = filter.size(), .filter = filter.data()};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

[[noreturn]] void try_without_io_uring() {
  forbid_io_uring();
  const auto kind_of = [](tare::io_kind asked) {
    tare::runtime rt({.io = asked});
    return rt.run([]() -> task<std::string_view> {
      const auto made = reactor::here();
      if (!made) co_return made.error() == std::errc::operation_not_permitted ? "refused" : "wrong";
      auto both = stream::pair();
      (void)co_await both->first.write(bytes_of("x"));
      co_return (co_await both->second.read())->empty() ? "broken" : (*made)->poller_name();
    }());
  };
  const bool right = kind_of(tare::runtime_options().io) == "epoll" && kind_of(tare::io_kind::io_uring) == "refused";
  std::_Exit(right ? 0 : 1);
}

TEST(reactor_choice, is_epoll_and_io_uring_says_so_where_it_is_forbidden) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(try_without_io_uring(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
