// Boost.Asio's awaitables: chains of three that wait for a timer, after as many others have come and gone.

#include "announced.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstdlib>

namespace with_asio {

using boost::asio::awaitable;
using boost::asio::use_awaitable;

unsigned long parked = 0;

awaitable<int> leaf(std::chrono::seconds time) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, time);
  ++parked;
  co_await timer.async_wait(use_awaitable);
  co_return 1;
}

awaitable<int> middle(std::chrono::seconds time) {
  const int one = co_await leaf(time);
  co_return one + 1;
}

awaitable<void> root(std::chrono::seconds time) {
  const int two = co_await middle(time);
  parked += two == 2 ? 0 : 1;
}

}  // namespace with_asio

int main(int argc, char** argv) {
  const unsigned long chains = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 30'000;
  boost::asio::io_context context(1);
  for (unsigned long i = 0; i < chains; ++i) {
    boost::asio::co_spawn(context, with_asio::root(std::chrono::seconds(0)), boost::asio::detached);
  }
  context.run();
  context.restart();
  with_asio::parked = 0;
  for (unsigned long i = 0; i < chains; ++i) {
    boost::asio::co_spawn(context, with_asio::root(std::chrono::hours(24)), boost::asio::detached);
  }
  while (with_asio::parked < chains) context.run_one();
  context.poll();
  announce_and_wait({{"leaf", chains}, {"middle", chains}, {"root", chains}});
}
