#pragma once

// What the other end of a connection is known to have done.

#include <cstdint>

namespace tare::net {

enum class peer_state : std::uint8_t {
  silent,   ///< nothing since everything that arrived was read
  sending,  ///< bytes have arrived; what follows them is not known
  gone,     ///< it has closed its side of the connection, or reset it
};

}  // namespace tare::net
