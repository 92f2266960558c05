#include "net/on_reactors.hpp"
#include "support/temporary_folder.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace {

using namespace tare::testing;
using support::temporary_folder;
using tare::task;
using tare::net::stream;
using tare::net::wait_readable;
using tare::net::wait_writable;

class readiness_test : public on_reactors {};
TARE_ON_ALL_REACTORS(readiness_test);

struct raw_pair {
  raw_pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0); }
  raw_pair(const raw_pair&) = delete;
  raw_pair& operator=(const raw_pair&) = delete;
  ~raw_pair() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  std::array<int, 2> ends{};
};

TEST_P(readiness_test, what_is_ready_already_is_reported_each_time) {
  run([]() -> task<> {
    const raw_pair both;
    EXPECT_EQ(::write(both.ends[0], "x", 1), 1);
    // Level-triggered, because nothing is read in between.
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(co_await wait_readable(both.ends[1]));
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(co_await wait_writable(both.ends[1]));
  }());
}

TEST_P(readiness_test, waits_until_something_comes) {
  run([]() -> task<> {
    const raw_pair both;
    EXPECT_FALSE(co_await tare::timeout(5ms, wait_readable(both.ends[1])));
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn([](int fd) -> task<> { EXPECT_TRUE(co_await wait_readable(fd)); }(both.ends[1]));
      co_await tare::sleep_for(2ms);
      EXPECT_EQ(::write(both.ends[0], "x", 1), 1);
    });
  }());
}

TEST_P(readiness_test, both_directions_may_be_waited_for) {
  run([]() -> task<> {
    const raw_pair both;
    const std::vector<char> much(10'000);
    while (::write(both.ends[0], much.data(), much.size()) > 0) {
    }
    std::string order;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn([](int fd, std::string& seen) -> task<> {
        EXPECT_TRUE(co_await wait_readable(fd));
        seen += 'r';
      }(both.ends[0], order));
      s.spawn([](int fd, std::string& seen) -> task<> {
        EXPECT_TRUE(co_await wait_writable(fd));
        seen += 'w';
      }(both.ends[0], order));
      co_await tare::sleep_for(2ms);
      EXPECT_EQ((co_await wait_readable(both.ends[0])).error(), std::errc::device_or_resource_busy);
      EXPECT_EQ(::write(both.ends[1], "x", 1), 1);
      while (order.empty()) co_await tare::yield();
      EXPECT_EQ(order, "r");
      std::vector<char> sink(100'000);
      while (::read(both.ends[1], sink.data(), sink.size()) > 0) {
      }
    });
    EXPECT_EQ(order, "rw");
  }());
}

TEST_P(readiness_test, the_end_of_a_stream_counts) {
  run([]() -> task<> {
    raw_pair both;
    ::close(both.ends[0]);
    both.ends[0] = -1;
    EXPECT_TRUE(co_await wait_readable(both.ends[1]));
  }());
}

TEST_P(readiness_test, files_are_always_ready_and_no_descriptor_is_an_error) {
  const temporary_folder folder;
  run([](std::filesystem::path path) -> task<> {
    const int fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    EXPECT_TRUE(co_await wait_readable(fd));
    EXPECT_TRUE(co_await wait_writable(fd));
    ::close(fd);
    EXPECT_EQ((co_await wait_readable(fd)).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ((co_await wait_readable(-1)).error(), std::errc::bad_file_descriptor);
  }(folder.path() / "file"));
}

TEST_P(readiness_test, many_waits_on_many_pipes) {
  run([]() -> task<> {
    int woken = 0;
    std::vector<std::unique_ptr<raw_pair>> pairs;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (int i = 0; i < 500; ++i) {
        pairs.push_back(std::make_unique<raw_pair>());
        s.spawn([](int fd, int& count) -> task<> {
          EXPECT_TRUE(co_await wait_readable(fd));
          ++count;
        }(pairs.back()->ends[1], woken));
      }
      co_await tare::sleep_for(1ms);
      EXPECT_EQ(woken, 0);
      for (const auto& each : pairs) EXPECT_EQ(::write(each->ends[0], "x", 1), 1);
    });
    EXPECT_EQ(woken, 500);
  }());
}

TEST_P(readiness_test, pending_waits_end_by_cancellation) {
  run([]() -> task<> {
    std::vector<std::unique_ptr<raw_pair>> pairs;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (int i = 0; i < 400; ++i) {
        pairs.push_back(std::make_unique<raw_pair>());
        s.spawn([](int fd) -> task<> { (void)co_await wait_readable(fd); }(pairs.back()->ends[1]));
      }
      co_await tare::sleep_for(1ms);
      s.cancel();
    });
    for (const auto& each : pairs) EXPECT_EQ(::write(each->ends[0], "x", 1), 1);
    for (const auto& each : pairs) EXPECT_TRUE(co_await wait_readable(each->ends[1]));
  }());
}

/// Waits for a stream and separately for the stream's descriptor. Neither waits forever, and the stream continues to
/// work.
task<> wait_twice(bool stream_first, bool waited_before) {
  auto [each, other] = stream::pair().value();
  if (waited_before) {
    EXPECT_FALSE((co_await tare::timeout(1ms, each.readable())).has_value());
  }
  std::optional<std::error_code> by_stream;
  std::optional<std::error_code> by_itself;
  co_await tare::with_scope([&](tare::scope& s) -> task<> {
    const auto begin = [&](bool with_stream) {
      if (with_stream) {
        s.spawn([](stream& of, auto& ended) -> task<> {
          const auto got = co_await of.readable();
          ended = got ? std::error_code() : got.error();
        }(each, by_stream));
      } else {
        s.spawn([](int fd, auto& ended) -> task<> {
          const auto got = co_await tare::net::wait_readable(fd);
          ended = got ? std::error_code() : got.error();
        }(each.native_handle(), by_itself));
      }
    };
    begin(stream_first);
    co_await tare::sleep_for(2ms);
    begin(!stream_first);
    co_await tare::sleep_for(2ms);
    EXPECT_TRUE(co_await other.write(bytes_of("x")));
  });
  const auto is_right = [](const std::optional<std::error_code>& ended) {
    return ended && (!*ended || *ended == std::errc::device_or_resource_busy);
  };
  EXPECT_TRUE(is_right(by_stream));
  EXPECT_TRUE(is_right(by_itself));
  EXPECT_TRUE(!*by_stream || !*by_itself);
  EXPECT_EQ(text_of((co_await each.read())->bytes()), "x");
  EXPECT_TRUE(co_await other.write(bytes_of("y")));
  EXPECT_EQ(text_of((co_await each.read())->bytes()), "y");
}

TEST_P(readiness_test, a_streams_own_descriptor_does_not_disturb_the_stream) {
  for (const bool stream_first : {true, false}) {
    for (const bool waited_before : {true, false}) run(wait_twice(stream_first, waited_before));
  }
}

}  // namespace
