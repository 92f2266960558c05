// A unit of a large program: a server's coroutines with Boost.Asio, whose headers make its debug information realistic.
// Everything is local to the unit, so that build.sh can link one object file many times.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#ifndef UNIT
#define UNIT 0
#endif

namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;
using namespace std::chrono_literals;

template <int Number>
struct request {
  std::string target;
  std::map<std::string, std::string> fields;
  std::array<char, 16 * (Number % 7 + 1)> body{};
};

template <int Number>
awaitable<request<Number>> read_request(tcp::socket& socket, std::string& buffer) {
  request<Number> one;
  const std::size_t bytes =
      co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer), "\r\n", use_awaitable);
  one.target = buffer.substr(0, bytes);
  buffer.erase(0, bytes);
  one.fields["host"] = one.target;
  co_return one;
}

template <int Number>
awaitable<std::vector<std::string>> query(const request<Number>& one) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(1ms * Number);
  co_await timer.async_wait(use_awaitable);
  std::vector<std::string> rows(Number, one.target);
  co_return rows;
}

template <int Number>
awaitable<void> respond(tcp::socket& socket, std::vector<std::string> rows) {
  for (const auto& row : rows) co_await asio::async_write(socket, asio::buffer(row), use_awaitable);
}

template <int Number>
awaitable<void> serve(tcp::socket socket) {
  std::string buffer;
  while (socket.is_open()) {
    const auto one = co_await read_request<Number>(socket, buffer);
    auto rows = co_await query<Number>(one);
    co_await respond<Number>(socket, std::move(rows));
  }
}

template <int... Numbers>
void start(asio::io_context& context, std::integer_sequence<int, Numbers...> /*numbers*/) {
  (asio::co_spawn(context, serve<UNIT * 100 + Numbers>(tcp::socket(context)), asio::detached), ...);
}

/// The only entry from outside, so that nothing is optimized away.
[[gnu::used]] void (*const entry)(asio::io_context&) = [](asio::io_context& context) {
  start(context, std::make_integer_sequence<int, 8>());
};

}  // namespace
