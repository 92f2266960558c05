#pragma once

// An echo service and its client, for the tests of the simulation.

#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace tare::testing {

using namespace std::chrono_literals;

[[nodiscard]] inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

template <class T>
void expect_error(const net::result<T>& got, std::errc error) {
  EXPECT_FALSE(got.has_value());
  if (!got) {
    EXPECT_EQ(got.error(), error);
  }
}

inline task<> echo_stream(net::stream with) {
  for (;;) {
    auto got = co_await with.read();
    if (!got || got->empty()) co_return;
    const auto sent = co_await with.write(got->bytes());
    if (!sent) co_return;
  }
}

inline task<> serve_echo(std::uint16_t port = 7) {
  auto listening = net::listener::bind(net::endpoint::any(port));
  if (!listening) throw std::system_error(listening.error(), "bind");
  for (;;) {
    auto accepted = co_await listening->accept();
    if (!accepted) throw std::system_error(accepted.error(), "accept");
    spawn(echo_stream(std::move(*accepted)));
  }
}

[[nodiscard]] inline net::endpoint port_of(const sim::host& on, std::uint16_t port = 7) {
  return net::endpoint::parse(on.address() + ":" + std::to_string(port)).value();
}

/// A new host whose echo service listens.
inline task<sim::host*> start_echo(sim::world& in) {
  sim::host& server = in.add_host("server");
  server.spawn(serve_echo());
  co_await sleep_for(1ms);
  co_return &server;
}

/// Throws if it cannot connect: nothing else would be tested.
inline task<net::stream> connect_to(const sim::host& server, std::uint16_t port = 7) {
  auto connected = co_await net::connect(port_of(server, port));
  if (!connected) throw std::system_error(connected.error(), "connect");
  co_return std::move(*connected);
}

/// Reads until there are `bytes`, or to the end of the stream; an error is returned.
inline task<net::result<std::string>> read_bytes(net::stream& with, std::size_t bytes) {
  std::string all;
  while (all.size() < bytes) {
    auto got = co_await with.read();
    if (!got) co_return std::unexpected(got.error());
    if (got->empty()) break;
    all.append(reinterpret_cast<const char*>(got->bytes().data()), got->bytes().size());
  }
  co_return all;
}

/// Sends a text and reads as many bytes; an error is returned.
inline task<net::result<std::string>> exchange(net::stream& with, std::string text) {
  const auto sent = co_await with.write(bytes_of(text));
  if (!sent) co_return std::unexpected(sent.error());
  co_return co_await read_bytes(with, text.size());
}

}  // namespace tare::testing
