#pragma once

#include <tare/http/detail/transport.hpp>
#include <tare/task.hpp>

namespace tare::http::detail {

/// Gives the peer a second to read what has been sent and to close (src/http/serve.cpp).
[[nodiscard]] task<> linger(transport connection);

}  // namespace tare::http::detail
