#pragma once

// Connecting to an address.
//
//   auto s = co_await tare::net::connect(tare::net::endpoint::loopback(5432));     // result<stream>

#include <tare/net/endpoint.hpp>
#include <tare/net/result.hpp>
#include <tare/net/stream.hpp>
#include <tare/task.hpp>

namespace tare::net {

/// Waits as long as the system does, minutes; `tare::timeout` limits it. Cancellation abandons the attempt. `to` is
/// copied.
[[nodiscard]] task<result<stream>> connect(endpoint to);

}  // namespace tare::net
