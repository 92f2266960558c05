// n coroutines of Boost.Asio, asleep, and a parent that waits for them all.
//
//   peer_asio N
//   peer_asio --version

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/version.hpp>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <optional>
#include <string_view>

namespace asio = boost::asio;

namespace {

asio::awaitable<void> sleeper() {
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
  co_await timer.async_wait(asio::use_awaitable);
}

// Asio has nothing that joins many coroutines, so the parent counts them: a timer that never expires by itself is the
// library's usual event.
asio::awaitable<void> parent(std::size_t n) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer all_ended(executor, asio::steady_timer::time_point::max());
  std::size_t running = n;
  std::exception_ptr first_error;
  for (std::size_t i = 0; i < n; ++i) {
    asio::co_spawn(executor, sleeper(), [&](std::exception_ptr error) {
      if (error && !first_error) first_error = error;
      if (--running == 0) all_ended.cancel();
    });
  }
  // Behind the first step of each coroutine in the queue.
  co_await asio::post(executor, asio::use_awaitable);
  std::puts("READY");
  std::fflush(stdout);

  while (running > 0) {
    boost::system::error_code cancelled;
    co_await all_ended.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  }
  if (first_error) std::rethrow_exception(first_error);
}

std::optional<std::size_t> count(std::string_view text) {
  std::size_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view argument = argc == 2 ? argv[1] : "";
  if (argument == "--version") {
    std::printf("Boost %d.%d.%d\n", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100);
    return 0;
  }
  const auto n = count(argument);
  if (!n) {
    std::fputs("usage: peer_asio N\n", stderr);
    return 2;
  }
  // One thread runs it: with this hint Asio leaves out its locks.
  asio::io_context context(1);
  std::exception_ptr failed;
  asio::co_spawn(context, parent(*n), [&](std::exception_ptr error) { failed = error; });
  context.run();
  if (failed) std::rethrow_exception(failed);
}
