#pragma once

// A handshake between our server and OpenSSL's client, and what each side knows afterwards.

#include "net/on_reactors.hpp"
#include "net/tls_identities.hpp"
#include "net/tls_peer.hpp"

#include <tare/net/tls.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace tare::testing {

struct attempt {
  struct free_ticket {
    void operator()(SSL_SESSION* freed) const noexcept { ::SSL_SESSION_free(freed); }
  };
  using ticket = std::unique_ptr<SSL_SESSION, free_ticket>;

  bool done = false;  ///< at both ends, and a byte has been received
  int alert = 0;      ///< the alert that the client received
  std::string cipher = {};
  bool resumed = false;
  std::string host = {};                                         ///< the host that the server was asked for
  std::optional<net::tls::certificate> server_certificate = {};  ///< the certificate that the client received
  std::optional<net::tls::certificate> client_certificate =
      {};                 ///< the certificate that the server reports for the client
  ticket kept = nullptr;  ///< the newest ticket that the client received
};

namespace detail {

inline task<> converse(net::stream& to, tls_peer& peer, attempt& made) {
  ::ERR_clear_error();
  bool is_open = true;
  while (is_open) {
    const std::string flight = peer.step();
    const unsigned long error = ::ERR_get_error();
    ::ERR_clear_error();
    if (ERR_GET_REASON(error) > SSL_AD_REASON_OFFSET) made.alert = ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET;
    if (error != 0) is_open = false;
    if (!flight.empty()) {
      const auto sent = co_await to.write(bytes_of(flight));
      if (!sent) is_open = false;
    }
    if (!is_open || peer.is_done()) break;
    auto got = co_await to.read();
    if (!got || got->empty()) break;
    peer.receive(got->bytes());
  }
  if (!is_open || !peer.is_done()) co_return;
  // The byte may have arrived with the last flight.
  std::string text = peer.read();
  ::ERR_clear_error();
  while (text.empty()) {
    auto got = co_await to.read();
    if (!got || got->empty()) break;
    peer.receive(got->bytes());
    text = peer.read();
    const unsigned long error = ::ERR_get_error();
    ::ERR_clear_error();
    if (ERR_GET_REASON(error) > SSL_AD_REASON_OFFSET) made.alert = ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET;
  }
  made.done = made.done && text == "x";
  made.cipher = ::SSL_get_cipher_name(peer.get());
  made.kept.reset(::SSL_get1_session(peer.get()));
  ::SSL_set_shutdown(peer.get(), SSL_SENT_SHUTDOWN);  // otherwise OpenSSL would invalidate the ticket
  if (X509* const shown = ::SSL_get0_peer_certificate(peer.get())) {
    unsigned char* der = nullptr;
    const int size = ::i2d_X509(shown, &der);
    made.server_certificate =
        net::tls::parse_certificate(std::as_bytes(std::span(der, static_cast<std::size_t>(size))));
    OPENSSL_free(der);
  }
}

inline task<> act_as_client(net::stream to, tls_peer& peer, attempt& made) {
  co_await converse(to, peer, made);
  to.close();
}

inline task<> act_as_server(net::stream below, net::tls::context with, attempt& made) {
  auto accepted = co_await net::tls::stream::accept(std::move(below), std::move(with));
  if (!accepted) co_return;
  const auto sent = co_await accepted->write(bytes_of("x"));
  made.done = sent.has_value();
  made.resumed = accepted->resumed();
  made.host = accepted->server_name();
  made.client_certificate = accepted->peer_certificate();
  // Until the client has disconnected.
  (void)co_await accepted->read();
}

}  // namespace detail

/// The peer must outlive the task.
inline task<attempt> try_with(net::tls::context with, tls_peer& peer) {
  auto [wire, end] = net::stream::pair().value();
  attempt made;
  auto server = detail::act_as_server(std::move(end), std::move(with), made);
  auto client = detail::act_as_client(std::move(wire), peer, made);
  co_await when_all(std::move(server), std::move(client));
  co_return std::move(made);
}

inline task<attempt> try_with(net::tls::context with, tls_peer_options options) {
  tls_peer peer(options);
  auto made = co_await try_with(std::move(with), peer);
  co_return std::move(made);
}

}  // namespace tare::testing
