// The descriptor of a runtime in a loop of the program: ready sockets make it readable, with each kind of poller.

#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
namespace net = tare::net;
using tare::task;

class poll_descriptor : public testing::TestWithParam<tare::io_kind> {};

bool is_readable(int fd, std::chrono::milliseconds within) {
  pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, static_cast<int>(within.count())) == 1;
}

task<> echo(net::listener listening) {
  auto client = co_await listening.accept();
  if (!client) co_return;
  for (;;) {
    auto got = co_await client->read();
    if (!got || got->empty()) co_return;
    const auto sent = co_await client->write(got->bytes());
    if (!sent) co_return;
  }
}

task<> ask(net::endpoint server, int& answers) {
  auto stream = co_await net::connect(server);
  if (!stream) co_return;
  for (int i = 0; i < 10; ++i) {
    const std::string text = "question";
    const auto sent = co_await stream->write(std::as_bytes(std::span(text)));
    if (!sent) co_return;
    auto got = co_await stream->read();
    if (!got || got->empty()) co_return;
    ++answers;
    co_await tare::sleep_for(1ms);
  }
}

task<> start(int& answers) {
  auto listening = net::listener::bind(net::endpoint::loopback(0));
  if (!listening) co_return;
  const net::endpoint at = *listening->local();
  tare::spawn(echo(std::move(*listening)));
  tare::spawn(ask(at, answers));
}

TEST_P(poll_descriptor, carries_a_conversation_over_sockets) {
  tare::runtime rt({.io = GetParam()});
  const int fd = rt.poll_descriptor();
  int answers = 0;
  rt.spawn_on(0, start(answers));
  int rounds = 0;
  while (answers < 10 && is_readable(fd, 10s)) {
    (void)rt.poll(1ms);
    ++rounds;
  }
  EXPECT_EQ(answers, 10) << "the descriptor was silent although something was due";
  EXPECT_LT(rounds, 2'000) << "the loop outside spins";
  while (rt.detached_tasks() != 0 && is_readable(fd, 10s)) (void)rt.poll(1ms);
  EXPECT_EQ(rt.detached_tasks(), 0U);
  while (is_readable(fd, 0ms)) (void)rt.poll(1ms);
  EXPECT_FALSE(is_readable(fd, 20ms));
}

INSTANTIATE_TEST_SUITE_P(each, poll_descriptor, testing::Values(tare::io_kind::epoll, tare::io_kind::io_uring),
                         [](const auto& each) { return each.param == tare::io_kind::epoll ? "epoll" : "io_uring"; });

}  // namespace
