#pragma once

#include <tare/http/detail/transport.hpp>
#include <tare/task.hpp>

#include <chrono>

namespace tare::http::detail {

/// Gives the peer this time to read what has been sent and to close.
[[nodiscard]] task<> linger(transport connection, std::chrono::nanoseconds limit = std::chrono::seconds(1));
/// For a connection whose `shutdown_write` must wait: gives the peer this time to make room for close_notify, without
/// which what it has received does not count as complete.
[[nodiscard]] task<> announce_end(transport connection, std::chrono::nanoseconds limit = std::chrono::seconds(1));

}  // namespace tare::http::detail
