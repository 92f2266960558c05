#pragma once

#include <tare/net/result.hpp>

namespace tare::net {
class listener;
}  // namespace tare::net

namespace tare::http {

struct server_options;

namespace detail {

/// Sets the limits of what the kernel holds for a connection on the listening socket, from which Linux passes them to
/// every connection that it accepts: so they cost no call per connection.
[[nodiscard]] net::result<void> limit_kernel_buffers(const net::listener& listening, const server_options& options);

}  // namespace detail
}  // namespace tare::http
