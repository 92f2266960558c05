#include "load/free_port.hpp"

#include <tare/net/listener.hpp>

namespace tare::load {

base::result<std::uint16_t> free_port() {
  const auto listening = net::listener::bind(net::endpoint::loopback(0));
  if (!listening) return base::system_error("cannot find a free port", listening.error().value());
  return listening->local().value_or(net::endpoint()).port();
}

}  // namespace tare::load
