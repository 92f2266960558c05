#pragma once

// Asks a server to stop a session's statement, over a separate connection: 16 unencrypted bytes (PostgreSQL's
// documentation, "Canceling Requests in Progress").

#include "db/postgresql/backend_key.hpp"

#include <tare/net/endpoint.hpp>
#include <tare/task.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace tare::db::detail {

/// The server to ask, and the session to stop.
struct cancel_target {
  net::endpoint server;
  backend_key key;
};

[[nodiscard]] std::array<std::byte, 16> cancel_request(const backend_key& key) noexcept;

/// The progress of a request, even if the task that makes it is cancelled.
enum class cancel_stage : std::uint8_t {
  not_sent,   ///< the server has not received it
  sent,       ///< it may reach the session at any time
  confirmed,  ///< the server has processed it, or does not know the session
};

/// Sends a request, and waits until the server has closed the connection, which confirms it. May wait forever.
///
/// **Cancellation**: `stage` records its progress.
task<> ask_to_cancel(const cancel_target& target, cancel_stage& stage);

}  // namespace tare::db::detail
