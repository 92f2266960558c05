// Waits for descriptors that end immediately, because they are cancelled or fail: a loop of them must not monopolize a
// shard.

#include "net/on_reactors.hpp"

#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <string>
#include <utility>

namespace {

namespace net = tare::net;
using namespace std::chrono_literals;
using tare::task;

constexpr int turns_of_the_sibling = 50;
constexpr int max_rounds = 100'000;

struct progress {
  int rounds = 0;
  int turns = 0;
  bool sibling_was_done = false;
};

task<> sibling(progress& made) {
  for (int i = 0; i < turns_of_the_sibling; ++i) {
    co_await tare::yield();
    ++made.turns;
  }
}

template <class Once>
task<> again_and_again(Once once, progress& made) {
  while (made.turns < turns_of_the_sibling && made.rounds < max_rounds) {
    try {
      (void)co_await once();
      // NOLINTNEXTLINE(bugprone-empty-catch): it continues whatever happens
    } catch (...) {
    }
    ++made.rounds;
  }
  made.sibling_was_done = made.turns == turns_of_the_sibling;
}

/// Whether a sibling gets its turns while a task awaits the result of `once` in an endless loop, in one frame.
template <class Once>
task<bool> leaves_turns(Once once, bool cancelled) {
  progress made;
  tare::scope stubborn;
  stubborn.spawn(again_and_again(once, made));
  if (cancelled) {
    co_await tare::yield();
    stubborn.cancel();
  }
  stubborn.spawn(sibling(made));
  if (cancelled) {
    // The first sibling is cancelled too, so its yields throw; this one is not.
    tare::scope other;
    other.spawn(sibling(made));
    co_await other.join();
  }
  co_await tare::shield([](tare::scope& joined) -> task<> { co_await joined.join(); }(stubborn));
  co_return made.sibling_was_done;
}

class stubborn_io : public tare::testing::on_reactors {};
TARE_ON_ALL_REACTORS(stubborn_io);

TEST_P(stubborn_io, refused_waits_are_steps) {
  auto body = []() -> task<> {
    auto ends = net::stream::pair();
    net::stream& open = ends.value().first;
    std::array<std::byte, 8> bytes{};
    auto listening = net::listener::bind(net::endpoint::loopback(0));
    auto socket = net::udp_socket::bind(net::endpoint::loopback(0));
    EXPECT_TRUE(co_await leaves_turns([&] { return open.read(bytes); }, true));
    EXPECT_TRUE(co_await leaves_turns([&] { return open.read(); }, true));
    EXPECT_TRUE(co_await leaves_turns([&] { return open.readable(); }, true));
    EXPECT_TRUE(co_await leaves_turns([&] { return listening->accept(); }, true));
    EXPECT_TRUE(co_await leaves_turns([&] { return socket->receive_from(bytes); }, true));
    EXPECT_TRUE(co_await leaves_turns([&] { return net::wait_readable(open.native_handle()); }, true));
  };
  run(body());
}

TEST_P(stubborn_io, calls_that_fail_at_once_are_steps) {
  auto body = []() -> task<> {
    auto ends = net::stream::pair();
    net::stream& open = ends.value().first;
    net::stream closed;
    std::array<std::byte, 8> bytes{};
    EXPECT_TRUE(co_await leaves_turns([&] { return closed.read(bytes); }, false));
    EXPECT_TRUE(co_await leaves_turns([&] { return closed.write(bytes); }, false));
    // Another task is already waiting.
    tare::scope reader;
    reader.spawn([](net::stream& from) -> task<> { (void)co_await from.readable(); }(open));
    co_await tare::yield();
    int errors = 0;
    auto read_again = [&] { return open.read(bytes); };
    EXPECT_TRUE(co_await leaves_turns(read_again, false));
    const auto busy = co_await open.read(bytes);
    if (!busy && busy.error() == std::errc::device_or_resource_busy) ++errors;
    EXPECT_EQ(errors, 1);
    reader.cancel();
    co_await reader.join();
    // A file is always ready.
    const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    EXPECT_TRUE(co_await leaves_turns([&] { return net::wait_readable(file); }, false));
    ::close(file);
  };
  run(body());
}

TEST(stubborn_io_without_a_reactor, streams_of_nothing_are_steps) {
  auto body = []() -> task<bool> {
    net::stream none;
    std::array<std::byte, 8> bytes{};
    const auto got = co_await none.read(bytes);
    EXPECT_EQ(got.error(), std::errc::bad_file_descriptor);
    co_return co_await leaves_turns([&] { return none.read(bytes); }, false);
  };
  EXPECT_TRUE(tare::run(body()));
}

// A failure that had to wait for its turn keeps its own error, even if other calls fail in the meantime.
TEST_P(stubborn_io, an_error_that_had_to_wait_for_its_turn_is_the_right_one) {
  auto body = []() -> task<> {
    auto ends = net::stream::pair();
    net::stream closed;
    std::array<std::byte, 8> bytes{};
    auto writes = [](net::stream& to) -> task<> {
      for (int i = 0; i < 50; ++i) {
        const std::array<std::byte, 1> made{};
        (void)co_await to.write(made);
        co_await tare::yield();
      }
    };
    tare::scope other;
    other.spawn(writes(ends->second));
    int wrong = 0;
    for (int i = 0; i < 1000; ++i) {
      const auto got = co_await closed.read(bytes);
      if (got || got.error() != std::errc::bad_file_descriptor) ++wrong;
    }
    co_await other.join();
    EXPECT_EQ(wrong, 0);
  };
  run(body());
}

}  // namespace
