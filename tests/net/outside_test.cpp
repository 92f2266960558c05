// Sockets belong to a shard: if one is created or used outside a task of its shard, a message names the call.

#include <tare/net.hpp>
#include <tare/net/idle.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace net = tare::net;
using namespace std::chrono_literals;
using tare::task;

struct call {
  std::string name;
  std::function<void()> make;
};

std::vector<call> calls_that_make_sockets() {
  const net::endpoint here = net::endpoint::loopback(0);
  return {
      {"tare::net::listener::bind", [=] { (void)net::listener::bind(here); }},
      {"tare::net::listener::adopt", [] { (void)net::listener::adopt(::socket(AF_INET, SOCK_STREAM, 0)); }},
      {"tare::net::udp_socket::bind", [=] { (void)net::udp_socket::bind(here); }},
      {"tare::net::stream::adopt", [] { (void)net::stream::adopt(::socket(AF_UNIX, SOCK_STREAM, 0)); }},
      {"tare::net::stream::pair", [] { (void)net::stream::pair(); }},
      {"tare::net::signal_set::of", [] { (void)net::signal_set::of({SIGUSR1}); }},
  };
}

TEST(sockets_outside_of_a_task_DeathTest, are_not_made) {
  for (const call& each : calls_that_make_sockets()) {
    EXPECT_DEATH(each.make(), each.name + ": called outside a task: .*tare::run") << each.name;
  }
}

/// The calls of an open stream that do not wait.
std::vector<call> calls_of(net::stream& open) {
  static std::array<std::byte, 8> bytes{};
  return {
      {"tare::net::stream::try_read", [&] { (void)open.try_read(bytes); }},
      {"tare::net::stream::try_read", [&] { (void)open.try_read(); }},
      {"tare::net::stream::try_write", [&] { (void)open.try_write(bytes); }},
      {"tare::net::stream::expires_after", [&] { open.expires_after(1s); }},
      {"tare::net::stream::expires_never", [&] { open.expires_never(); }},
      {"tare::net::stream::release", [&] { ::close(open.release()); }},
  };
}

task<net::stream> open_stream() {
  auto made = net::stream::pair();
  co_return std::move(made.value().first);
}

TEST(sockets_outside_of_a_task_DeathTest, are_not_used) {
  tare::runtime rt;
  net::stream open = rt.run(open_stream());
  for (const call& each : calls_of(open)) {
    EXPECT_DEATH(each.make(), each.name + ": called outside a task") << each.name;
  }
  open.close();  // any thread may close it
}

TEST(sockets_outside_of_a_task_DeathTest, are_not_used_by_another_runtime) {
  std::optional<tare::runtime> first(std::in_place);
  net::stream open = first->run(open_stream());
  auto use = [](const std::function<void()>& make) -> task<> {
    const net::stream own = co_await open_stream();  // so that this shard has a reactor
    make();
  };
  for (const call& each : calls_of(open)) {
    EXPECT_DEATH(tare::run(use(each.make)), each.name + ": called on a shard other than") << each.name;
  }
  first.reset();
  for (const call& each : calls_of(open)) {
    EXPECT_DEATH(tare::run(use(each.make)), each.name + ": called on a shard other than") << each.name;
  }
}

TEST(sockets_outside_of_a_task, answer_what_needs_no_shard) {
  net::stream none;
  std::array<std::byte, 8> bytes{};
  EXPECT_EQ(none.try_read(bytes).error(), std::errc::bad_file_descriptor);
  EXPECT_EQ(none.try_write(bytes).error(), std::errc::bad_file_descriptor);
  none.expires_after(1s);
  none.expires_never();
  none.close();
  EXPECT_EQ(none.release(), -1);
  EXPECT_EQ(net::expire_idle(1), 0U);
  tare::runtime rt;
  net::stream open = rt.run(open_stream());
  EXPECT_GE(open.native_handle(), 0);
  EXPECT_TRUE(open.local().has_value());
}

}  // namespace
