#pragma once

// Contexts for both sides of a TLS connection that trust each other. They are made by functions, because g++ 12
// destroys the options twice when a coroutine makes them.

#include "support/identity.hpp"

#include <tare/net/tls.hpp>

#include <string>
#include <utility>
#include <vector>

namespace tare::testing {

inline const support::identity& ours() { return support::identity::shared(); }

inline net::tls::context server_context(std::vector<std::string> alpn = {}) {
  return net::tls::context::server({.certificate = ours().certificate, .key = ours().key, .alpn = std::move(alpn)})
      .value();
}
inline net::tls::context client_context(std::vector<std::string> alpn = {}) {
  return net::tls::context::client({.authorities = ours().certificate, .alpn = std::move(alpn)}).value();
}

}  // namespace tare::testing
