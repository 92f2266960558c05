#include "net/on_reactors.hpp"

#include <sys/types.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <thread>

namespace {

using namespace tare::testing;
using tare::task;
using tare::net::signal_set;

class signal_test : public on_reactors {};
TARE_ON_ALL_REACTORS(signal_test);

TEST_P(signal_test, tells_which_came_in_their_order) {
  run([]() -> task<> {
    auto set = signal_set::of({SIGUSR1, SIGUSR2}).value();
    ::raise(SIGUSR2);
    ::raise(SIGUSR1);
    EXPECT_EQ((co_await set.next()).value(), SIGUSR2);
    EXPECT_EQ((co_await set.next()).value(), SIGUSR1);
    EXPECT_FALSE(co_await tare::timeout(2ms, set.next()));
    std::thread([] { ::kill(::getpid(), SIGUSR1); }).join();
    EXPECT_EQ((co_await set.next()).value(), SIGUSR1);
  }());
}

TEST_P(signal_test, restores_what_was_before) {
  run([]() -> task<> {
    struct sigaction before{};
    ::sigaction(SIGUSR1, nullptr, &before);
    {
      auto set = signal_set::of({SIGUSR1}).value();
      EXPECT_EQ(signal_set::of({SIGUSR2, SIGUSR1}).error(), std::errc::device_or_resource_busy);
      auto moved = std::move(set);
      ::raise(SIGUSR1);
      EXPECT_EQ((co_await moved.next()).value(), SIGUSR1);
      moved = signal_set::of({SIGUSR2}).value();
      EXPECT_TRUE(signal_set::of({SIGUSR1}).has_value());
    }
    struct sigaction after{};
    ::sigaction(SIGUSR1, nullptr, &after);
    EXPECT_EQ(after.sa_handler, before.sa_handler);
    EXPECT_EQ(signal_set::of({SIGKILL}).error(), std::errc::invalid_argument);
    EXPECT_EQ(signal_set::of({0}).error(), std::errc::invalid_argument);
    EXPECT_EQ(signal_set::of({1000}).error(), std::errc::invalid_argument);
  }());
}

// Stops accepting, lets the requests in progress finish, and ends.
TEST_P(signal_test, drains_a_server) {
  run([]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
    auto client = (co_await tare::net::connect(listening.local().value())).value();
    bool drained = false;
    co_await tare::with_scope([&](tare::scope& all) -> task<> {
      auto stop = signal_set::of({SIGTERM}).value();
      all.spawn([](tare::net::listener& from, tare::scope& in) -> task<> {
        while (auto accepted = co_await from.accept()) {
          in.spawn([](tare::net::stream s) -> task<> {
            auto got = co_await s.read();
            if (got) (void)co_await s.write(got->bytes());
          }(std::move(*accepted)));
        }
      }(listening, all));
      co_await tare::sleep_for(2ms);
      ::raise(SIGTERM);
      EXPECT_EQ((co_await stop.next()).value(), SIGTERM);
      listening.close();
      EXPECT_TRUE(co_await client.write(bytes_of("still served")));
      drained = co_await read_all(client) == "still served";
    });
    EXPECT_TRUE(drained);
  }());
}

}  // namespace
