// TLS streams without HTTP, by each way to read and write, under every fault: what arrives is what was sent, in order,
// and an end that is not announced is an error.

#include "sim/explored.hpp"
#include "sim/server_identity.hpp"

#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

namespace net = tare::net;
namespace tls = tare::net::tls;

constexpr std::size_t large_bytes = 40'000;

std::string large() {
  std::string text(large_bytes, 'L');
  return text;
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

tls::context server_context() {
  const auto& own = tare::testing::server_identity::shared();
  return tls::context::server({.certificate = own.certificate, .key = own.key}).value();
}

tls::context client_context() {
  return tls::context::client({.authorities = tare::testing::server_identity::shared().certificate}).value();
}

/// "head", "one" and "two" as one record, then more than a record; and the end, when there is room for it.
task<net::result<void>> send_all(tls::stream& to) {
  auto sent = co_await to.write(bytes_of("head"));
  if (!sent) co_return sent;
  const std::array<std::span<const std::byte>, 2> pieces{bytes_of("one"), bytes_of("two")};
  sent = co_await to.write(pieces);
  if (!sent) co_return sent;
  const std::string text = large();
  const std::array<std::span<const std::byte>, 2> too_many{bytes_of(text), bytes_of("end")};
  sent = co_await to.write(too_many);
  if (!sent) co_return sent;
  for (;;) {
    sent = to.shutdown_write();
    if (sent || sent.error() != std::errc::operation_would_block) co_return sent;
    sent = co_await to.writable();
    if (!sent) co_return sent;
  }
}

/// The first bytes into a buffer of the caller, the others as leases, some after waiting for them; to the end.
task<net::result<std::string>> receive_all(tls::stream& from) {
  std::string received;
  std::array<std::byte, 6> first{};
  const auto count = co_await from.read(first);
  if (!count) co_return std::unexpected(count.error());
  received.append(reinterpret_cast<const char*>(first.data()), *count);
  for (bool waits = false;; waits = !waits) {
    if (waits) {
      auto ready = co_await from.readable();
      if (!ready) co_return std::unexpected(ready.error());
    }
    auto got = co_await from.read();
    if (!got) co_return std::unexpected(got.error());
    if (got->empty()) co_return received;
    received.append(reinterpret_cast<const char*>(got->bytes().data()), got->size());
  }
}

/// Whatever has arrived is the beginning of what was sent; without an error it is all of it.
task<> talk(const world& w, tls::stream& with) {
  with.expires_after(1min);
  const std::string expected = "headonetwo" + large() + "end";
  net::result<void> sent;
  net::result<std::string> received;
  auto sending = [&]() -> task<> { sent = co_await send_all(with); };
  auto receiving = [&]() -> task<> { received = co_await receive_all(with); };
  co_await tare::when_all(sending(), receiving());
  if (received) {
    EXPECT_EQ(received->size(), expected.size());
    EXPECT_TRUE(*received == expected);
  }
  if (!w.fault_may_fail()) {
    EXPECT_TRUE(sent) << sent.error().message();
    EXPECT_TRUE(received) << received.error().message();
  }
}

task<> serve(const world& w) {
  auto listening = net::listener::bind(net::endpoint::any(443));
  if (!listening) {
    EXPECT_TRUE(w.fault_may_fail()) << listening.error().message();
    co_return;
  }
  auto plain = co_await listening->accept();
  if (!plain) co_return;
  plain->expires_after(1min);
  auto agreed = co_await tls::stream::accept(std::move(*plain), server_context());
  if (!agreed) {
    EXPECT_TRUE(w.fault_may_fail()) << agreed.error().message();
    co_return;
  }
  co_await talk(w, *agreed);
}

task<std::optional<net::stream>> connect(const world& w, std::string host) {
  auto in_time = co_await tare::timeout(1min, net::connect(std::move(host), "443"));
  if (!in_time || !*in_time) {
    EXPECT_TRUE(w.fault_may_fail());
    co_return std::nullopt;
  }
  (*in_time)->expires_after(1min);
  co_return std::move(**in_time);
}

task<> exchange(world& w) {
  auto& server = w.add_host("server");
  tare::sim::link_options narrow;
  narrow.buffer_bytes = 5000;
  w.set_link(w.here(), server, narrow);
  server.spawn(serve(w));
  co_await tare::sleep_for(1ms);
  auto plain = co_await connect(w, "server");
  if (!plain) co_return;
  auto agreed = co_await tls::stream::connect(std::move(*plain), client_context(), "server");
  if (!agreed) {
    EXPECT_TRUE(w.fault_may_fail()) << agreed.error().message();
    co_return;
  }
  co_await talk(w, *agreed);
}

TEST(sim_tls_streams, deliver_what_was_sent_under_every_fault) {
  (void)tare::testing::server_identity::shared();  // writes files, which a simulation does not
  tare::sim::explore_options chosen;
  chosen.max_bytes = 1;
  (void)tare::testing::explore_every_fault([](world& w) { return exchange(w); }, chosen);
}

/// A client that does not know the server's certificate: both sides learn why.
task<> refuse(world& w) {
  auto& server = w.add_host("server");
  server.spawn([&w]() -> task<> {
    auto listening = net::listener::bind(net::endpoint::any(443));
    if (!listening) co_return;
    auto plain = co_await listening->accept();
    if (!plain) co_return;
    plain->expires_after(1min);
    auto agreed = co_await tls::stream::accept(std::move(*plain), server_context());
    EXPECT_TRUE(!agreed || w.fault_may_fail());
  });
  co_await tare::sleep_for(1ms);
  auto plain = co_await connect(w, "server");
  if (!plain) co_return;
  auto agreed = co_await tls::stream::connect(std::move(*plain), client_context(), "another.name");
  EXPECT_FALSE(agreed) << "it has accepted a certificate for another name";
}

TEST(sim_tls_streams, refuse_another_name_under_every_fault) {
  (void)tare::testing::server_identity::shared();
  tare::sim::explore_options chosen;
  chosen.max_bytes = 2;
  (void)tare::testing::explore_every_fault([](world& w) { return refuse(w); }, chosen);
}

}  // namespace
