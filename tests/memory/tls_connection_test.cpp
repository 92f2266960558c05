// The weight of an idle TLS connection in the server. The clients are in another process.

#include "net/on_reactors.hpp"
#include "support/identity.hpp"
#include "support/own_memory.hpp"

#include <tare/net/tls.hpp>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace tare::testing;
using support::resident_bytes;
using tare::task;
using tare::net::endpoint;
using tare::net::listener;
namespace tls = tare::net::tls;

constexpr int few = 200;
constexpr int many = 2000;

/// The clients: each connects, exchanges a byte, and stays until `control` is closed.
task<> hold_clients(int control, endpoint at, std::string authorities) {
  const auto trusted = tls::context::client({.authorities = std::move(authorities)}).value();
  std::vector<tls::stream> held;
  for (const int count : {few, many - few}) {
    for (int i = 0; i < count; ++i) {
      auto plain = co_await tare::net::connect(at);
      auto s = co_await tls::stream::connect(std::move(plain.value()), trusted, "localhost");
      (void)co_await s.value().write(bytes_of("x"));
      (void)(co_await s->read()).value();
      held.push_back(std::move(*s));
    }
    if (::write(control, "k", 1) != 1) co_return;
  }
  (void)co_await tare::net::wait_readable(control);
}

task<> echo(tare::net::stream plain, tls::context with) {
  auto s = co_await tls::stream::accept(std::move(plain), std::move(with));
  while (s) {
    auto got = co_await s->read();
    if (!got || got->empty() || !co_await s->write(got->bytes())) co_return;
  }
}

task<> accept_all(listener& from, tls::context with) {
  while (auto accepted = co_await from.accept()) tare::spawn(echo(std::move(*accepted), with));
}

task<> wait_for(int control) {
  EXPECT_TRUE(co_await tare::net::wait_readable(control));
  char response = 0;
  EXPECT_EQ(::read(control, &response, 1), 1);
}

TEST(tls_connection_memory, an_idle_one_weighs_at_most_1_kib) {
  const support::identity ours;

  tare::runtime rt;
  auto listening = rt.run([]() -> task<listener> { co_return listener::bind(endpoint::loopback(0)).value(); }());
  const endpoint at = listening.local().value();
  std::array<int, 2> control{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, control.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(control[0]);
    // The child must not destroy the parent's runtime.
    tare::run(hold_clients(control[1], at, ours.certificate));
    ::_exit(0);
  }
  ::close(control[1]);

  const auto of_server = tls::context::server({.certificate = ours.certificate, .key = ours.key}).value();
  const double weight = rt.run([](listener& from, tls::context with, int ready) -> task<double> {
    tare::spawn(accept_all(from, with));
    co_await wait_for(ready);
    const double before = resident_bytes();
    co_await wait_for(ready);
    co_await tare::sleep_for(50ms);
    co_return (resident_bytes() - before) / (many - few);
  }(listening, of_server, control[0]));
  ::close(control[0]);
  ::waitpid(child, nullptr, 0);
  std::printf("idle TLS 1.3: %.0f bytes per connection\n", weight);
  // OpenSSL 3.0's SSL object alone would be 7.6 KiB (docs/bytes.md).
  EXPECT_LE(weight, 1024);
}

}  // namespace
