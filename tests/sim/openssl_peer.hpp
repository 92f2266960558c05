#pragma once

// OpenSSL as the other end of a simulated TLS connection: it can stop, lie and cut at any byte.

#include "net/tls_peer.hpp"
#include "sim/server_identity.hpp"

#include <tare/net.hpp>
#include <tare/net/tls.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace tare::testing {

[[nodiscard]] inline std::span<const std::byte> wire_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// A self-signed certificate of these names, valid for years, because simulations begin in 2030. Make it before one.
struct long_lived_identity {
  explicit long_lived_identity(const std::string& names,
                               const std::string& kind = "ec -pkeyopt ec_paramgen_curve:P-256") {
    const std::string command = "openssl req -x509 -newkey " + kind + " -nodes -days 9000 -subj /CN=test -addext " +
                                "subjectAltName=" + names + " -keyout " + key + " -out " + certificate + " 2>/dev/null";
    // NOLINTNEXTLINE(bugprone-command-processor,concurrency-mt-unsafe): of our own words, in the only thread
    if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl req failed");
  }

  support::temporary_folder folder;
  std::string certificate = folder.path() / "certificate.pem";
  std::string key = folder.path() / "key.pem";
};

inline net::tls::server_options wire_server_options() {
  const auto& own = server_identity::shared();
  return {.certificate = own.certificate, .key = own.key};
}
inline net::tls::context wire_server(const net::tls::server_options& options = wire_server_options()) {
  return net::tls::context::server(options).value();
}
inline net::tls::context wire_client() {
  return net::tls::context::client({.authorities = server_identity::shared().certificate}).value();
}

inline tls_peer_options wire_peer(bool server = false, int version = TLS1_3_VERSION) {
  tls_peer_options made;
  made.server = server;
  made.version = version;
  made.certificate = server_identity::shared().certificate;
  made.key = server_identity::shared().key;
  made.host = "server";
  return made;
}

/// Two ends of a connection between hosts.
struct wire {
  net::stream near;
  net::stream far;
};

/// A connection of this host to itself.
inline task<wire> make_wire(net::endpoint at) {
  auto listening = net::listener::bind(at);
  if (!listening) throw std::system_error(listening.error(), "bind");
  auto connecting = spawn_handle([at]() -> task<net::stream> {
    auto made = co_await net::connect(at);
    if (!made) throw std::system_error(made.error(), "connect");
    co_return std::move(*made);
  });
  auto accepted = co_await listening->accept();
  if (!accepted) throw std::system_error(accepted.error(), "accept");
  wire both;
  both.far = co_await connecting;
  both.near = std::move(*accepted);
  co_return both;
}

/// In pieces that the seed chooses.
inline task<bool> send_cut(sim::world& w, net::stream& to, std::string bytes) {
  std::string_view left = bytes;
  while (!left.empty()) {
    const std::size_t size = w.random_below(3) == 0 ? left.size() : 1 + w.random_below(left.size());
    const auto sent = co_await to.write(wire_bytes(left.substr(0, size)));
    if (!sent) co_return false;
    left.remove_prefix(size);
    if (w.random_below(3) == 0) co_await sleep_for(std::chrono::microseconds(w.random_below(800)));
  }
  co_return true;
}

/// Reads once. False at the end of the stream.
inline task<bool> feed(net::stream& from, tls_peer& peer) {
  auto got = co_await from.read();
  if (!got || got->empty()) co_return false;
  peer.receive(got->bytes());
  co_return true;
}

/// The peer's side of a handshake, with `first` in its last flight. False if it does not succeed.
inline task<bool> shake_hands(sim::world& w, net::stream& by, tls_peer& peer, std::string first) {
  for (;;) {
    std::string flight = peer.step();
    const bool done = peer.is_done();
    if (done && !first.empty()) {
      peer.write(first);
      flight += peer.sent();
    }
    if (!flight.empty()) {
      const bool sent = co_await send_cut(w, by, std::move(flight));
      if (!sent) co_return false;
    }
    if (done) co_return true;
    if (!co_await feed(by, peer)) co_return false;
  }
}

/// Reads what the peer's OpenSSL can open until there are `bytes`, or to the end.
inline task<std::string> read_opened(net::stream& from, tls_peer& peer, std::size_t bytes) {
  std::string all = peer.read();
  while (all.size() < bytes) {
    if (!co_await feed(from, peer)) break;
    all += peer.read();
  }
  co_return all;
}

inline task<std::string> read_wire(net::stream& from) {
  std::string all;
  for (;;) {
    auto got = co_await from.read();
    if (!got || got->empty()) co_return all;
    all.append(reinterpret_cast<const char*>(got->bytes().data()), got->size());
  }
}

/// Echoes until the end; then says it, and closes.
inline task<std::error_code> echo_secret(net::tls::stream with) {
  for (;;) {
    auto got = co_await with.read();
    if (!got) co_return got.error();
    if (got->empty()) break;
    const auto sent = co_await with.write(got->bytes());
    if (!sent) co_return sent.error();
  }
  (void)with.shutdown_write();
  co_return std::error_code();
}

}  // namespace tare::testing
